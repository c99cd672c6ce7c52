"""Argo CD, KubeRay and Kueue as the tree installs them: pinned, and with what it changes in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gitops_tree import (
    RELEASE,
    RELEASES,
    ROOT,
    TREE,
    Document,
    check,
    documents,
    find,
    kinds,
    render,
    with_local_releases,
)

RELEASED = [
    file.parent
    for file in sorted(TREE.glob("platform/*/kustomization.yaml"))
    if RELEASE.search(file.read_text("utf-8"))
]


@pytest.fixture(scope="module")
def tree_with_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_local_releases(tmp_path_factory.mktemp("tree") / "gitops")


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_every_component_renders_with_its_pinned_release(folder: Path, tree_with_releases: Path):
    found = render(tree_with_releases / folder.relative_to(TREE))
    names = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in found]
    assert len(set(names)) == len(names)
    for document in found:
        if f"{document['apiVersion']}/{document['kind']}" in kinds():
            check(document)
        if document["kind"] == "CustomResourceDefinition" and folder.name != "argocd":
            wave = document["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
            assert wave == "-1", "CRDs come before their controllers"
    for image in _images(found):
        assert re.search(r"[:@]v?[0-9]", image), f"{image} is not pinned"


def _images(found: list[Document]) -> list[str]:
    pods = [d["spec"]["template"]["spec"] for d in found if "template" in d.get("spec", {})]
    return [c["image"] for pod in pods for c in pod["containers"] + pod.get("initContainers", [])]


def test_releases_are_pinned_to_the_versions_that_are_tested():
    pinned = {}
    for folder in RELEASED:
        (release,) = RELEASE.findall((folder / "kustomization.yaml").read_text("utf-8"))
        pinned[RELEASES[release[0]][0]] = release[2]
    schemas = "".join(
        (file.read_text("utf-8")[:300]) for file in (ROOT / "tests/contract/schemas").iterdir()
    )
    for module, version in pinned.items():
        assert f"{module} {version} " in schemas
    assert set(pinned) == {module for module, _ in RELEASES.values()}


def test_kuberay_never_removes_a_rayjob(tree_with_releases: Path):
    """Trap T19: a RayJob that the operator removes comes back at the next commit and runs again."""
    operator = find(
        render(tree_with_releases / "platform/kuberay"), "Deployment", "kuberay-operator"
    )
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert {"name": "DELETE_RAYJOB_CR_AFTER_JOB_FINISHES", "value": "false"} in container["env"]


def test_kuberay_puts_no_container_before_a_worker(tree_with_releases: Path):
    """Trap T23: the worker's own Ray would start only after it."""
    operator = find(
        render(tree_with_releases / "platform/kuberay"), "Deployment", "kuberay-operator"
    )
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert {"name": "ENABLE_INIT_CONTAINER_INJECTION", "value": "false"} in container["env"]


def test_kueue_runs_with_its_configuration_and_touches_ray_and_itself_only(
    tree_with_releases: Path,
):
    found = render(tree_with_releases / "platform/kueue")
    manager = find(found, "Deployment", "kueue-controller-manager")
    (volume,) = [
        volume
        for volume in manager["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "manager-config"
    ]
    mounted = find(found, "ConfigMap", volume["configMap"]["name"])
    shipped = (TREE / "platform/kueue/controller_manager_config.yaml").read_text("utf-8")
    assert mounted["data"] == {"controller_manager_config.yaml": shipped}
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        (webhooks,) = [d["webhooks"] for d in found if d["kind"] == kind]
        groups = {
            group for hook in webhooks for rule in hook["rules"] for group in rule["apiGroups"]
        }
        assert groups == {"kueue.x-k8s.io", "ray.io"}


def test_kueue_shares_fairly_and_queues_ray_only():
    (configuration,) = documents(TREE / "platform/kueue/controller_manager_config.yaml")
    assert configuration["fairSharing"]["preemptionStrategies"] == [
        "LessThanOrEqualToFinalShare",
        "LessThanInitialShare",
    ]
    assert configuration["integrations"]["frameworks"] == ["ray.io/rayjob", "ray.io/raycluster"]
