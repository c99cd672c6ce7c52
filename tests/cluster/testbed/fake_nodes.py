"""Nodes that only exist as objects; kwok plays their kubelets, so that a thousand cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.component import Program
from testbed.layout import FAKE_POD_NETWORK, LOOPBACK, NODE_ADDRESS, PORTS, Layout
from testbed.readiness import health
from testbed.tools import Tools

FAKE = {"kwok.x-k8s.io/node": "fake"}
_STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


def kwok(layout: Layout, tools: Tools) -> Program:
    command = [
        tools.program("kwok"),
        f"--kubeconfig={layout.kubeconfigs / 'kwok'}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--cidr={FAKE_POD_NETWORK}",
        f"--node-ip={NODE_ADDRESS if layout.real_pods else LOOPBACK}",
        f"--config={layout.configuration / 'kwok.yaml'}",
        f"--server-address={LOOPBACK}:{PORTS['kwok']}",
    ]
    return Program("kwok", command, health("kwok"))


def write_kwok_configuration(layout: Layout, tools: Tools) -> None:
    """kwok's own stages: what happens to a node and to a pod, and when."""
    folder = tools.module_file("kwok", "kustomize/stage")
    layout.configuration.mkdir(parents=True, exist_ok=True)
    stages = [(folder / name).read_text() for name in _STAGES]
    (layout.configuration / "kwok.yaml").write_text("\n---\n".join(stages))


def fake_node(
    name: str, pool: str, capacity: Mapping[str, str], labels: Mapping[str, str], taints: list[Any]
) -> dict[str, Any]:
    """A Node object as kwok wants it. `capacity`: cpu, memory, nvidia.com/gpu."""
    size = {"pods": "1000", **capacity}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {**FAKE, "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "ml-platform/pool": pool,
                "ml-platform/fake": "true",
                **labels,
            },
        },
        "spec": {"taints": taints} if taints else {},
        "status": {"capacity": size, "allocatable": size},
    }
