"""Accounts of the cluster, what an administrator lets them do, and who commits."""

from __future__ import annotations

import secrets
from typing import Any

from testbed.objects import Objects

SPACE = "ml-platform"
RBAC = "rbac.authorization.k8s.io"
LEASE = ("coordination.k8s.io/v1", "Lease", "committer", SPACE)


def bind(admin: Objects, role: str, namespace: str, subject: dict[str, str]) -> None:
    """A role of a namespace for one more subject, as an administrator gives it."""
    admin.create(
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"test-{secrets.token_hex(3)}", "namespace": namespace},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
            "subjects": [subject],
        }
    )


def accounts_of(namespace: str) -> dict[str, str]:
    group = f"system:serviceaccounts:{namespace}"
    return {"apiGroup": RBAC, "kind": "Group", "name": group}


def let_submit(admin: Objects, namespace: str, team: str) -> None:
    """Let the account `nightly` of a namespace call the service, as a member of a team."""
    bind(admin, "caller", SPACE, accounts_of(namespace))
    bind(
        admin,
        "member",
        team,
        {"kind": "ServiceAccount", "name": "nightly", "namespace": namespace},
    )


def connection_to(**data: str) -> dict[str, Any]:
    """What says in a cluster where the service is."""
    metadata = {"name": "connection", "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def may(admin: Objects, user: str, verb: str, resource: str, namespace: str) -> bool:
    """Whether RBAC lets somebody do that; `resource` as kubectl has it: `pods/log`, `rayjobs.ray.io`."""
    kind, _, subresource = resource.partition("/")
    kind, _, group = kind.partition(".")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": kind,
        "subresource": subresource,
        "namespace": namespace,
    }
    groups = ["system:authenticated"]
    if user.startswith("system:serviceaccount:"):
        groups += ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"]
    review = admin.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        }
    )
    return bool(review["status"]["allowed"])


def committer(admin: Objects) -> str:
    """Which replica of the service holds the Lease; empty when none does."""
    found = admin.find(*LEASE)
    return str(found["spec"].get("holderIdentity") or "") if found else ""
