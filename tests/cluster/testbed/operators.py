"""KubeRay's operator and Kueue, as processes with the accounts and settings of the shipped tree."""

from __future__ import annotations

import base64
import shutil
import sys
from typing import Any

import yaml

from testbed.component import Program
from testbed.layout import LOOPBACK, PORTS, Layout
from testbed.platform_tree import (
    Document,
    container_of,
    environment_of,
    find,
    without_descriptions,
    without_processes,
)
from testbed.readiness import health
from testbed.tools import Tools

KUBERAY_NAMESPACE, KUBERAY = "ray-system", "kuberay-operator"
KUEUE_NAMESPACE, KUEUE = "kueue-system", "kueue-controller-manager"
_WEBHOOKS = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
# A private mount namespace: the operator finds heads by their names in the cluster's DNS.
_WITH_CLUSTER_DNS = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
# Kueue 0.19 reads its metrics certificate from this path and no other, even with metrics off.
_WITH_CERTIFICATES = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec "$@"'


def kuberay(layout: Layout, tools: Tools, released: list[Document]) -> Program:
    container = container_of(released, "Deployment", KUBERAY)
    shipped = [text for text in container.get("args", []) if "leader-election" not in text]
    operator = [
        tools.program("kuberay", "ray-operator"),
        *shipped,
        f"--kubeconfig={layout.kubeconfigs / KUBERAY}",
        "--enable-leader-election=false",
        f"--metrics-addr={LOOPBACK}:{PORTS['kuberay-metrics']}",
        f"--health-probe-bind-address={LOOPBACK}:{PORTS['kuberay-probe']}",
        "--log-stdout-encoder=console",
    ]
    if layout.real_pods:
        names = str(layout.configuration / "resolv.conf")
        operator = ["unshare", "--mount", "sh", "-c", _WITH_CLUSTER_DNS, names, *operator]
    environment = environment_of(released, container)
    ready = health("kuberay-probe", "/readyz")
    return Program("kuberay", operator, ready, environment)


def kueue(layout: Layout, tools: Tools) -> Program:
    manager = [
        tools.program("kueue"),
        f"--config={layout.configuration / 'kueue.yaml'}",
        "--feature-gates=VisibilityOnDemand=false",
        "--zap-log-level=1",
    ]
    if sys.platform == "linux":
        etc = str(layout.configuration / "kueue-etc")
        # Without root a user namespace allows the mount.
        private = ["--mount"] if layout.real_pods else ["--mount", "--user", "--map-root-user"]
        manager = ["unshare", *private, "sh", "-c", _WITH_CERTIFICATES, etc, *manager]
    environment = {"KUBECONFIG": str(layout.kubeconfigs / KUEUE)}
    return Program("kueue", manager, health("kueue-probe", "/readyz"), environment)


def write_kueue_configuration(layout: Layout, released: list[Document]) -> None:
    """The shipped configuration, but for where a process of this machine listens."""
    shipped = _configuration(released)
    certificates = layout.configuration / "kueue-etc" / "kueue" / "metrics" / "certs"
    certificates.mkdir(parents=True, exist_ok=True)
    for suffix in ("crt", "key"):
        source = layout.certificates / f"apiserver.{suffix}"
        shutil.copyfile(source, certificates / f"tls.{suffix}")
    webhook = {"host": LOOPBACK, "port": PORTS["kueue-webhook"], "certDir": str(certificates)}
    shipped |= {
        "namespace": KUEUE_NAMESPACE,
        "health": {"healthProbeBindAddress": f"{LOOPBACK}:{PORTS['kueue-probe']}"},
        "metrics": {**shipped.get("metrics", {}), "bindAddress": "0"},
        "webhook": webhook,
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
    }
    (layout.configuration / "kueue.yaml").write_text(yaml.safe_dump(shipped))


def _configuration(released: list[Document]) -> dict[str, Any]:
    pod = find(released, "Deployment", KUEUE)["spec"]["template"]["spec"]
    name = next(v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v)
    (text,) = find(released, "ConfigMap", name)["data"].values()
    configuration: dict[str, Any] = yaml.safe_load(text)
    return configuration


def webhooks(documents: list[Document]) -> list[Document]:
    return [document for document in documents if document["kind"] in _WEBHOOKS]


def _webhooks_by_url(layout: Layout, documents: list[Document]) -> None:
    """They are asked at the process instead of at a Service."""
    for document in webhooks(documents):
        for hook in document["webhooks"]:
            hook["clientConfig"] = _by_url(layout, hook["clientConfig"])


def _conversions_by_url(layout: Layout, definitions: list[Document]) -> None:
    """The same for the conversion of old versions, which the API server asks for all the time."""
    for definition in definitions:
        conversion = definition["spec"].get("conversion", {})
        if conversion.get("strategy") == "Webhook":
            webhook = conversion["webhook"]
            webhook["clientConfig"] = _by_url(layout, webhook["clientConfig"])


def _by_url(layout: Layout, shipped: Document) -> Document:
    bundle = base64.b64encode((layout.certificates / "ca.crt").read_bytes()).decode()
    address = f"https://{LOOPBACK}:{PORTS['kueue-webhook']}{shipped['service']['path']}"
    return {"url": address, "caBundle": bundle}


def as_processes_serve_them(layout: Layout, released: list[Document]) -> list[Document]:
    """Objects of a release as the test cluster has them, whose controllers are no pods."""
    kept = without_processes(released)
    kinds = [
        without_descriptions(item) for item in kept if item["kind"] == "CustomResourceDefinition"
    ]
    _conversions_by_url(layout, kinds)
    _webhooks_by_url(layout, kept)
    return [*kinds, *(item for item in kept if item["kind"] != "CustomResourceDefinition")]


def without_webhooks(documents: list[Document]) -> list[Document]:
    """They refuse everything until Kueue answers, so they come after it."""
    return [document for document in documents if document["kind"] not in _WEBHOOKS]
