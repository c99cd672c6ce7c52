"""Every file of the tree: that it parses, renders, and holds objects as their makers define them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from gitops_tree import (
    RELEASE,
    TREE,
    Document,
    check,
    documents,
    find,
    kustomization,
    render,
    with_ingress,
    with_local_releases,
)

from ml_platform.cluster import callers
from ml_platform.repository import layout
from ml_platform.settings import Settings
from ml_platform.yaml_document import from_yaml

FILES = sorted(TREE.rglob("*.yaml"))
FOLDERS = sorted(
    file.parent
    for file in TREE.rglob("kustomization.yaml")
    if documents(file)[0]["kind"] == "Kustomization"
)
OWN = [
    folder
    for folder in FOLDERS
    if not RELEASE.search((folder / "kustomization.yaml").read_text("utf-8"))
]
# Not objects of a cluster: the platform's own files, Kustomize's, Kueue's and tests of health checks.
NO_OBJECTS = re.compile(
    r"pools\.yaml|teams/[^/]+/team\.yaml|.*/kustomization\.yaml|site/kustomization\.yaml"
    r"|platform/kueue/controller_manager_config\.yaml|platform/argocd/health/.*"
    r"|platform/backstage/app-config\.cluster\.yaml"
    # Patches of a release's objects: complete only when they are rendered.
    r"|platform/kueue/(webhooks|manager)\.yaml|platform/kuberay/operator\.yaml"
    r"|platform/argocd/projects/jobs-destinations\.yaml"
    r"|platform/ml-platform/ingress/connection\.yaml"
)
OBJECTS = [file for file in FILES if not NO_OBJECTS.fullmatch(file.relative_to(TREE).as_posix())]


def _name(path: Path) -> str:
    return path.relative_to(TREE).as_posix()


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_every_document_of_a_file_is_read_alike_by_all_parsers(file: Path):
    for text in re.split(r"^---$", file.read_text("utf-8"), flags=re.M):
        assert isinstance(from_yaml(text), dict), "an empty document, or none"


@pytest.mark.parametrize("file", OBJECTS, ids=_name)
def test_every_object_is_of_a_known_kind_with_known_fields(file: Path):
    for document in documents(file):
        check(document)


@pytest.mark.parametrize("folder", OWN, ids=_name)
def test_every_folder_renders_to_objects_of_known_kinds(folder: Path):
    found = render(folder)
    assert found
    for document in found:
        check(document)


def _site() -> Document:
    return documents(TREE / "site" / "site.yaml")[0]["data"]


def test_what_differs_between_installations_stands_in_one_file():
    texts = {_name(file): file.read_text("utf-8") for file in FILES}
    for value in (_site()["repository"], _site()["imageRegistry"]):
        assert [name for name, text in texts.items() if value in text] == ["site/site.yaml"]
    assert _site()["imageRegistry"] == Settings.model_fields["image_registry"].default


def test_the_values_of_the_site_reach_every_place(tmp_path: Path):
    tree = with_local_releases(tmp_path / "gitops")
    site = tree / "site" / "site.yaml"
    text = site.read_text("utf-8")
    for key, value in _site().items():
        text = text.replace(f"{key}: {value}\n", f"{key}: {HERE[key]}\n")
    site.write_text(text, encoding="utf-8")
    folders = ["bootstrap", "clusters/management", "clusters/workload", "platform/admission"]
    found = [d for name in folders for d in render(tree / name)]
    with_ingress(tree)  # its address is one of the places
    for folder in ("platform/argocd/projects", "platform/ml-platform", "platform/backstage"):
        found += render(tree / folder)
    rendered = yaml.safe_dump_all(found, width=1000)
    for value in (*list(_site().values())[:2], "site.yaml"):
        assert value not in rendered
    policies = yaml.safe_dump_all(render(tree / "platform/admission"), width=1000)
    assert f"'''{HERE['imageRegistry']}'''" in policies
    assert f"'''{HERE['argoCdUsers']}'''" in policies
    queues = find(render(tree / "clusters/workload"), "Application", "queues")["spec"]
    assert queues["destination"]["name"] == HERE["workloadCluster"]
    assert queues["source"]["path"] == f"platform/queues/{HERE['workloadCluster']}"


HERE = {
    "repository": "https://git.elsewhere.example/plasma/jobs.git",
    "imageRegistry": "europe-docker.pkg.dev/plasma/images",
    "workloadCluster": "gpus",
    "argoCdUsers": "argocd@plasma.iam.gserviceaccount.com system:serviceaccount:argocd:deployer",
    "serviceImage": "europe-docker.pkg.dev/plasma/platform/service@sha256:" + "1" * 64,
    "portalImage": "europe-docker.pkg.dev/plasma/platform/portal@sha256:" + "2" * 64,
    "portalHost": "jobs.plasma.example",
    "serviceHost": "jobs-api.plasma.example",
}


@pytest.mark.parametrize("cluster", sorted((TREE / "clusters").iterdir()), ids=lambda p: p.name)
def test_every_application_of_a_cluster_has_its_folder_and_its_line(cluster: Path):
    listed = kustomization(cluster)["resources"]
    there = sorted(file.name for file in cluster.glob("*.yaml"))
    assert sorted([*listed, "kustomization.yaml"]) == there
    for application in render(cluster):
        if application["kind"] == "Application":
            path = TREE / application["spec"]["source"]["path"]
            assert (path / "kustomization.yaml").is_file(), path


def test_controllers_come_before_policies_queues_teams_and_jobs():
    """Trap T21: a LocalQueue from before Kueue's webhooks leaves jobs waiting without an error."""
    waves = {
        d["metadata"]["name"]: int(d["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for d in render(TREE / "clusters/workload")
    }
    order = [{"kuberay", "kueue"}, {"admission"}, {"queues"}, {"teams"}, {"jobs"}]
    assert [{n for n, wave in waves.items() if wave == i} for i in range(5)] == order


def test_every_team_has_its_parts_and_its_folders_of_jobs():
    teams = {folder.name for folder in (TREE / "teams").iterdir()}
    assert teams == {folder.name for folder in (TREE / "jobs").iterdir()}
    for team in teams:
        found = render(TREE / "teams" / team)
        objects = {(d["kind"], d["metadata"]["name"]) for d in found}
        assert objects >= {
            ("Namespace", team),
            ("LocalQueue", team),
            ("ServiceAccount", "ray"),
            ("RoleBinding", "members"),
            ("NetworkPolicy", "default-deny"),
            ("ResourceQuota", "services"),
        }
        spaces = {d["metadata"].get("namespace", team) for d in found}
        assert spaces == {team}
        labels = find(found, "Namespace", team)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_team_that_writes_to_a_bucket_adds_a_component(tmp_path: Path):
    shutil.copytree(TREE, tmp_path / "gitops")
    team = sorted((tmp_path / "gitops" / "teams").iterdir())[0]
    with (team / "kustomization.yaml").open("a", encoding="utf-8") as file:
        file.write("components: [../../platform/team/google-cloud]\n")
    policy = find(render(team), "NetworkPolicy", "google-cloud")
    check(policy)
    assert policy["metadata"]["namespace"] == team.name


def test_members_may_read_and_submit_through_the_platform_and_nothing_else():
    (role,) = documents(TREE / "platform/team/roles.yaml")
    *readable, asked_by_the_platform = role["rules"]
    assert asked_by_the_platform == {
        "apiGroups": [callers.GROUP],
        "resources": [callers.RESOURCE],
        "verbs": [callers.VERB],
    }
    for rule in readable:
        assert rule["verbs"] == ["get", "list", "watch"]
        assert "secrets" not in rule["resources"]


def test_no_file_of_jobs_changes_what_argo_cd_does():
    for file in (TREE / "jobs").rglob("*"):
        if file.is_file():
            assert file.name == "_anchor.yaml" or layout.place(_name(file)), file
