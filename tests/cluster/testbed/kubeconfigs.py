"""Who may do what: static tokens of the cluster's own parts, tokens of service accounts, kubeconfigs."""

from __future__ import annotations

import csv
import secrets
from pathlib import Path

import yaml

from testbed.layout import NODE, Layout

ADMIN = "admin"
# Kubernetes' own roles are bound to these names; the rest of the cluster uses service accounts.
_USERS = {
    ADMIN: (ADMIN, "system:masters"),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    # Stand-ins of the test cluster for what a cloud brings along.
    "coredns": ("system:coredns", "system:masters"),
    "kwok": ("system:kwok", "system:masters"),
    "gpu-keeper": ("system:gpu-keeper", "system:masters"),
}
_LIFE_SECONDS = 30 * 24 * 3600


def make_kubeconfigs(layout: Layout) -> None:
    """Write the token file of the API server, and a kubeconfig for each of its users."""
    if not layout.tokens.exists():
        rows = [
            (secrets.token_hex(16), name, str(number), group)
            for number, (name, group) in enumerate(_USERS.values())
        ]
        layout.tokens.touch(mode=0o600)
        with layout.tokens.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    with layout.tokens.open(newline="") as file:
        tokens = {name: token for token, name, _, _ in csv.reader(file)}
    authority = layout.certificates / "ca.crt"
    for user, (name, _) in _USERS.items():
        write_kubeconfig(layout.kubeconfigs / user, layout.api_url, authority, tokens[name])


def write_kubeconfig(
    path: Path, server: str, authority: Path, token: str, namespace: str = "default"
) -> Path:
    """A kubeconfig with one cluster, one user and one context."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    context = {"cluster": "test", "user": "test", "namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": context}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def token_request() -> dict[str, object]:
    """Body of a TokenRequest that outlives a long session."""
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _LIFE_SECONDS},
    }
