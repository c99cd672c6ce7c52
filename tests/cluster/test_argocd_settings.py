"""The settings that the cluster's Argo CD holds, judged by Argo CD's own program and what it shows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from admission_world import good_manifest
from gitops_tree import TREE
from testbed.argocd import niceness
from testbed.cluster import Cluster
from testbed.objects import Objects
from testbed.tools import build_tools
from testbed.waiting import wait_until

from ml_platform.yaml_document import to_yaml

HEALTH = TREE / "platform" / "argocd" / "health"
CASES = [
    pytest.param(file.parent, case, id=f"{file.parent.name}/{Path(case['inputPath']).stem}")
    for file in sorted(HEALTH.glob("*/*/health_test.yaml"))
    for case in yaml.safe_load(file.read_text("utf-8"))["tests"]
]
APPLICATION = "argoproj.io/v1alpha1"


@pytest.fixture(scope="module")
def argocd() -> str:
    return build_tools("argocd").program("argocd")


@pytest.fixture(scope="module")
def settings(admin: Objects, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings as files, which is how Argo CD's program takes them."""
    folder = tmp_path_factory.mktemp("settings")
    for name in ("argocd-cm", "argocd-rbac-cm"):
        document = admin.get("v1", "ConfigMap", name, "argocd")
        kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**kept, "data": document["data"]}))
    return folder


def _admin(argocd: str, *arguments: str, kubeconfig: Path | None = None) -> str:
    command = [argocd, "admin", "settings", *arguments]
    # It wants one even where it reads files only.
    environment = {**os.environ, **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_argo_cd_itself_finds_an_object_as_healthy_as_its_case_says(
    folder: Path, case: dict[str, Any], argocd: str, settings: Path
):
    said = _admin(
        argocd,
        "resource-overrides",
        "health",
        str(folder / case["inputPath"]),
        "--argocd-cm-path",
        str(settings / "argocd-cm.yaml"),
    )
    expected = case["healthStatus"]
    assert f"STATUS: {expected['status']}\n" in said, said
    assert f"MESSAGE: {expected['message']}".strip() in said


DENIED = ["delete", "delete/ray.io/RayJob/team/job", "update/ray.io/RayJob/team/job", "sync"]


@pytest.mark.parametrize("action", DENIED)
def test_an_administrator_of_argo_cd_keeps_off_jobs(
    action: str, argocd: str, settings: Path, cluster: Cluster
):
    """Traps T1 and T4: what is deleted there runs again, a sync by hand can replace Kueue's fields."""
    policy = ["--policy-file", str(settings / "argocd-rbac-cm.yaml")]

    def may(what: str, application: str) -> str:
        words = ["rbac", "can", "role:admin", what, "applications", application, *policy]
        return _admin(argocd, *words, kubeconfig=cluster.kubeconfig).strip().splitlines()[-1]

    assert may(action, "jobs/jobs-team-000") == "No"
    assert may("get", "jobs/jobs-team-000") == "Yes"
    assert may(action, "platform/queues") == "Yes"


def test_argo_cd_shows_queues_that_admit_and_a_job_that_waits(
    cluster: Cluster, admin: Objects, team: str
):
    def shown(application: str) -> str:
        found = admin.get(APPLICATION, "Application", application, "argocd")
        return str(found["status"].get("health", {}).get("status"))

    jobs = f"jobs-{team}-000"
    for application in ("queues", f"team-{team}", jobs):
        wait_until(lambda name=application: shown(name) == "Healthy", f"health of {application}")
    manifest = good_manifest(admin, team)
    path = f"jobs/{team}/000/{manifest['metadata']['name']}.yaml"
    commit = cluster.repository.commit({path: to_yaml(manifest)}, "A job that waits")
    cluster.wait_synced(jobs, commit)
    wait_until(lambda: shown(jobs) == "Suspended", "the job to be shown as waiting")
    commit = cluster.repository.commit({path: None}, "The job that waits is cancelled")
    cluster.wait_synced(jobs, commit)
    wait_until(lambda: shown(jobs) == "Healthy", "the folder of jobs to be healthy again")


@pytest.mark.usefixtures("own_processes")
def test_who_renders_applications_gives_way_to_who_applies_jobs(cluster: Cluster):
    """As the requests of their containers say; pods of a given cluster have those themselves."""
    renders, applies = (
        cluster.component(name).pid
        for name in ("applicationset-controller", "application-controller")
    )
    assert psutil.Process(renders).nice() - psutil.Process(applies).nice() == niceness(10)
    group = Path(f"/proc/{renders}/autogroup")
    if group.exists():  # the scheduler's groups of sessions
        assert group.read_text().endswith(f"nice {niceness(10)}\n")
