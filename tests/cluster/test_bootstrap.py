"""The root Application, which is what an administrator applies, brings the whole platform in its waves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testbed.attach import running_layout
from testbed.cluster import Cluster
from testbed.objects import Objects
from testbed.operators import as_processes_serve_them
from testbed.platform_tree import Document, Rendering
from testbed.start import TOOLS
from testbed.tools import build_tools
from testbed.waiting import wait_until

APPLICATION = "argoproj.io/v1alpha1"
COMPONENTS = ["argocd", "kuberay", "kueue", "ml-platform", "backstage"]
# There already, since all other tests need them; bootstrap makes them again.
MADE_AGAIN = ["admission", "queues"]
MADE = ["argocd", "workload", "kuberay", "kueue", "ml-platform", "backstage"]
# Each comes after the one before it.
ORDER = ["argocd", "workload", "kueue", "admission", "queues", "ml-platform", "backstage"]
# What is healthy only where pods run and the cloud gives addresses and disks.
OF_PODS = {"Ingress", "PersistentVolumeClaim", "PodDisruptionBudget"}


@pytest.fixture
def bootstrap(
    cluster: Cluster, admin: Objects, own_processes: None, tmp_path: Path
) -> Iterator[list[Document]]:
    """What an administrator applies, of a repository that holds the releases instead of their URLs."""
    layout = running_layout(lambda _: None)
    tree = tmp_path / "tree"
    cluster.repository.check_out(tree)
    rendering = Rendering(layout, build_tools(*TOOLS), "bootstrap-rendering")
    rendering.prepare(tree)
    files: dict[str, str | None] = {}
    before: dict[str, str | None] = {}
    objects: list[Document] = []
    for name in COMPONENTS:
        rendered = as_processes_serve_them(layout, rendering.render(f"platform/{name}"))
        kept = [item for item in rendered if item["kind"] not in OF_PODS]
        objects += kept
        all_of_it, kustomization = (
            f"platform/{name}/{file}.yaml" for file in ("all", "kustomization")
        )
        files |= {
            all_of_it: yaml.safe_dump_all(kept),
            kustomization: yaml.safe_dump({"resources": ["all.yaml"]}),
        }
        # From the tree that the cluster was started with: a test that was killed restores nothing.
        before |= {all_of_it: None, kustomization: (layout.tree / kustomization).read_text()}
    root, workload = rendering.render("bootstrap"), rendering.render("clusters/workload")
    new = [item for item in objects if admin.find(*_key(item)) is None]
    cluster.repository.commit(files)
    try:
        for name in MADE_AGAIN:
            admin.delete(APPLICATION, "Application", name, "argocd")
        yield root
    finally:
        cluster.repository.commit(before)
        # From the top, since each would be made again by the one above it; what they brought stays.
        for name in ("root", *MADE):
            _remove(admin, name)
        admin.apply_all(item for item in workload if item["metadata"]["name"] in MADE_AGAIN)
        for item in new:
            admin.delete(*_key(item))


def test_the_root_application_brings_everything_in_its_waves(
    bootstrap: list[Document], cluster: Cluster, admin: Objects
):
    admin.apply_all(bootstrap)
    head = cluster.repository.head
    for name in ("root", *MADE, *MADE_AGAIN):
        cluster.wait_synced(name, head, 240)
        wait_until(lambda name=name: _health(admin, name) == "Healthy", f"{name} is healthy", 60)
    made = [_made(_find(admin, name) or {}) for name in ORDER]
    assert made == sorted(made)
    for name in ("teams", "jobs"):
        found = admin.get(APPLICATION, "ApplicationSet", name, "argocd")
        tracked = found["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
        assert tracked.startswith("workload:"), tracked


def _remove(admin: Objects, name: str) -> None:
    if admin.delete(APPLICATION, "Application", name, "argocd"):
        wait_until(lambda: _find(admin, name) is None, f"{name} is gone", 60)


def _find(admin: Objects, name: str) -> Document | None:
    return admin.find(APPLICATION, "Application", name, "argocd")


def _health(admin: Objects, name: str) -> str:
    return str((_find(admin, name) or {}).get("status", {}).get("health", {}).get("status"))


def _made(application: Document) -> str:
    return str(application["metadata"]["creationTimestamp"])


def _key(item: Document) -> tuple[Any, ...]:
    metadata = item["metadata"]
    return item["apiVersion"], item["kind"], metadata["name"], metadata.get("namespace")
