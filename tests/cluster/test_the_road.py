"""The whole road on real controllers: form, action, commit, Argo CD, Kueue, KubeRay, Ray pods, archive.

And what a job that has come to its end means for a cluster that is built again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from callers import let_submit
from jobs import Document, JobOnCluster, Walk, follow, state_of
from platform_service import ROOT, VERSION, PlatformService, command
from testbed.cluster import Cluster
from testbed.objects import Objects
from testbed.teams import add_team, hold_queue, release_queue, remove_team
from testbed.waiting import wait_until

from ml_platform import PlatformClient
from ml_platform.job_handle import Job
from ml_platform.local.portal_form import Portal

# The team of the portal's guest; the portal's catalog knows it.
TEAM = "stellarator-design"
BUDGET = 50.0
ROAD = ["submitted", "queued", "starting", "running", "succeeded"]


@pytest.fixture(scope="module")
def guests_team(cluster: Cluster) -> Iterator[str]:
    add_team(cluster, TEAM, quota={"test": 1}, budget=BUDGET)
    yield TEAM
    remove_team(cluster, TEAM)


@pytest.fixture
def portal(platform: PlatformService) -> Iterator[Portal]:
    if not (ROOT / "backstage" / "build" / ".stamp").is_file() or not shutil.which("sh"):
        pytest.fail("the portal is not built; run scripts/build-backstage.sh")
    platform.start_portal()
    portal = platform.portal()
    portal.wait_for_template(60)
    yield portal
    portal.close()


@pytest.mark.usefixtures("real_pods", "connection")
def test_jobs_from_form_and_python_go_to_the_archive_and_all_views_agree_on_the_way(
    cluster: Cluster,
    admin: Objects,
    platform: PlatformService,
    portal: Portal,
    guests_team: str,
    team: str,
    tools: str,
    through: Callable[[str, str], PlatformClient],
) -> None:
    """One by the portal's template, the other by an account of the cluster, through its kubecontext."""
    hold_queue(cluster, guests_team)  # so that its job is seen to wait
    form, logs = _from_the_form(cluster, platform, portal, guests_team)
    let_submit(admin, tools, team)
    with through(tools, "nightly") as client:
        python = _from_python(cluster, platform, client, team)
        follow(form, python)
        logs.check()
        _check_form(cluster, platform, form)
        _check_python(python, f"user:{tools}/nightly")


def test_a_cluster_rebuilt_from_git_runs_nothing_that_had_ended(
    cluster: Cluster, platform: PlatformService, guests_team: str
) -> None:
    """Trap T15 of docs/gitops.md; the job that has run is that of the test before, if there was one."""
    release_queue(cluster, guests_team)
    finished = _a_finished_job(cluster, platform, guests_team) if cluster.real_pods else None
    hold_queue(cluster, guests_team)
    cancelled, open_job = (
        JobOnCluster(cluster, platform.submit(guests_team), guests_team) for _ in range(2)
    )
    cancelled.wait_applied()
    first = open_job.wait_applied()
    cancelled.job.cancel()
    cancelled.wait_archived()
    _lose(cluster, guests_team)
    assert open_job.wait_applied(60) != first  # and not held: who does that by hand has lost it
    assert cancelled.rayjob is None
    if finished is not None:
        assert finished.rayjob is None
        assert finished.job.status == "succeeded" and finished.attempts() == [0]
    open_job.job.cancel()
    open_job.wait_archived()


@pytest.mark.usefixtures("real_pods")
def test_a_job_whose_end_nobody_saw_is_applied_by_a_rebuilt_cluster_and_does_nothing(
    cluster: Cluster, platform: PlatformService, guests_team: str
) -> None:
    """The rest of T15: it ends while no service is there to take it to the archive."""
    release_queue(cluster, guests_team)
    job = JobOnCluster(
        cluster, platform.submit(guests_team, parameters={"seconds": 20}), guests_team
    )
    job.wait_checkpoints(0, 1)
    platform.kill()
    wait_until(
        lambda: job.status.get("jobDeploymentStatus") == "Complete",
        "the job is complete",
        120,
        explain=lambda: str(job.status),
    )
    first = job.uid
    assert cluster.repository.read(f"jobs/{guests_team}/000/{job.id}.yaml") is not None
    began = datetime.now(UTC)
    _lose(cluster, guests_team)
    assert job.wait_applied(60) != first
    platform.start()
    job.wait_phase("succeeded")
    job.wait_archived()
    assert job.attempts() == [0, 1] and job.steps(1) == 0
    assert job.summary()["attempt"] == 0
    assert "attempt 1 finished this job" in job.job.logs(attempt=1)
    view = job.job.refresh()
    admitted = {hop.name: hop.at for hop in view.hops}["admitted"]
    assert view.cost is not None and admitted is not None and admitted > began
    # The first cluster's 20 seconds and the second one's from its admission, and not what was between.
    seconds = view.cost.amount * timedelta(hours=1) - timedelta(seconds=20)
    assert timedelta() < seconds < datetime.now(UTC) - admitted + timedelta(seconds=10)


def _lose(cluster: Cluster, team: str) -> None:
    """The cluster is lost with all that the team had in it, and made anew; not so Git and what jobs wrote."""
    cluster.objects.delete("v1", "Namespace", team)
    cluster.objects.delete("v1", "PersistentVolume", f"runs-{team}")
    for application in (f"jobs-{team}-000", f"team-{team}"):
        cluster.objects.delete("argoproj.io/v1alpha1", "Application", application, "argocd")
    gone = lambda: cluster.objects.find("v1", "Namespace", team) is None  # noqa: E731
    wait_until(gone, "the namespace is gone", 120)
    cluster.refresh_sets()
    cluster.wait_team(team)


def _a_finished_job(cluster: Cluster, platform: PlatformService, team: str) -> JobOnCluster:
    there = list(platform.client.list_jobs(team=team, phase="succeeded"))
    job = (
        platform.client.get_job(there[0].id)
        if there
        else platform.submit(team, parameters={"seconds": 1})
    )
    finished = JobOnCluster(cluster, job, team)
    finished.wait_archived(240)
    return finished


def _from_the_form(
    cluster: Cluster, platform: PlatformService, portal: Portal, team: str
) -> tuple[Walk, PodLogs]:
    values = {
        "training": {"workload": "probe", "version": "v1", "parameters": {"seconds": 10}},
        "team": team,
        "pool": "test",
        "workers": 1,
    }
    page = portal.submit(values, lambda _: None)
    job = platform.client.get_job(page.rpartition("/")[2])
    logs = PodLogs(job)

    def on_agreed(phase: str) -> None:
        if phase == "queued":
            release_queue(cluster, team)
        if phase == "running":
            logs.read()

    views = lambda: _seen_by_all(platform, portal, job.id)  # noqa: E731
    return Walk(JobOnCluster(cluster, job, team), views, on_agreed), logs


def _from_python(
    cluster: Cluster, platform: PlatformService, client: PlatformClient, team: str
) -> Walk:
    job = client.submit_job(
        "probe", VERSION, team=team, pool="test", workers=1, parameters={"seconds": 10}
    )

    def views() -> dict[str, Document]:
        # With the environment of this process the command goes through the kubecontext.
        shown = json.loads(command("get", job.id, "--output", "json", environment=os.environ))
        (listed,) = client.list_jobs(team=team)
        return {
            "command line": state_of(shown["state"]),
            "list": state_of(listed.state),
            "page's data": state_of(platform.client.get_job(job.id).view.state),
        }

    return Walk(JobOnCluster(cluster, job, team), views)


class PodLogs:
    """What a job's pods say while it runs, as the service reads it from the API server."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._of: dict[str, str] = {}
        self._thread = ThreadPoolExecutor(1)
        self._submitter: Future[str] | None = None

    def read(self) -> None:
        """Of head and worker what is there; of the submitter all until its end."""
        self._submitter = self._thread.submit(
            lambda: "".join(self._job.follow_logs(source="submitter"))
        )
        for source in ("head", "worker-0"):
            self._of[source] = self._job.logs(source=source)

    def check(self) -> None:
        assert self._submitter is not None, "it was never seen running"
        for text in self._of.values():
            assert "Ray runtime started." in text
        text = self._submitter.result(timeout=60)
        assert "probe: step 1 " in text and "probe: done after 10 steps" in text
        self._thread.shutdown()


def _check_form(cluster: Cluster, platform: PlatformService, walk: Walk) -> None:
    on_cluster, job = walk.on_cluster, walk.on_cluster.job
    assert [phase for phase in ROAD if phase in walk.agreed] == walk.agreed
    assert {"queued", "starting", "running", "succeeded"} <= set(walk.agreed), on_cluster.why()
    on_cluster.wait_archived()
    assert walk.seen_by_all() == {"succeeded"}
    wait_until(lambda: not on_cluster.pods(), "its pods are gone", 90)
    wait_until(lambda: on_cluster.workload is None, "its quota is free", 30)
    _check_record(cluster, on_cluster)
    _check_cost(platform, on_cluster)
    hops = {hop.name: hop.at for hop in job.refresh().hops}
    times = [hops[name] for name in ("submitted", "applied", "admitted", "running", "ended")]
    assert all(times) and times == sorted(times, key=lambda at: at.timestamp() if at else 0)
    assert job.view.owner == "user:default/guest"
    assert "probe: done after 10 steps" in job.logs()
    assert job.metrics().rows[-1]["progress"] == 10


def _check_python(walk: Walk, owner: str) -> None:
    on_cluster, job = walk.on_cluster, walk.on_cluster.job
    assert {"running", "succeeded"} <= set(walk.agreed), on_cluster.why()
    on_cluster.wait_archived()
    assert walk.seen_by_all() == {"succeeded"}
    wait_until(lambda: on_cluster.workload is None, "its quota is free", 30)
    assert job.refresh().owner == owner
    assert job.results().summary["progress"] == 10
    assert "probe: done after 10 steps" in job.logs()


def _seen_by_all(platform: PlatformService, portal: Portal, job_id: str) -> dict[str, Document]:
    shown = json.loads(platform.command("get", job_id, "--output", "json"))
    page = portal.get(f"/api/ml-platform/jobs/{job_id}")
    listed = next(item for item in platform.client.list_jobs() if item.id == job_id)
    return {
        "command line": state_of(shown["state"]),
        "portal": state_of(page["state"]),
        "list": state_of(listed.state),
    }


def _check_record(cluster: Cluster, job: JobOnCluster) -> None:
    """Git has the manifest as it was applied, with how it ended, by the person who asked."""
    path = job.job.refresh().path
    manifest = yaml.safe_load(cluster.repository.read(path) or "")
    outcome = json.loads(manifest["metadata"]["annotations"]["ml-platform/outcome"])
    assert (outcome["phase"], outcome["attempts"]) == ("succeeded", 1)
    assert outcome["summary"]["progress"] == 10
    assert cluster.repository.read(f"jobs/{job.team}/000/{job.id}.yaml") is None
    assert job.job.view.commit.author == "guest"
    assert Path(path).parts[:2] == ("archive", job.team)


def _check_cost(platform: PlatformService, job: JobOnCluster) -> None:
    """One worker at 1 per hour (`site/gitops/pools.yaml`), from its admission to its program's end,
    is what the team has less."""
    view = job.job.refresh()
    hops = {hop.name: hop.at for hop in view.hops}
    admitted, ended = hops["admitted"], hops["ended"]
    assert view.cost is not None and admitted is not None and ended is not None
    hours = view.cost.amount * timedelta(hours=1)
    assert timedelta(seconds=10) <= hours <= ended - admitted + timedelta(seconds=1)
    (budget,) = [team.budget for team in platform.client.teams() if team.name == job.team]
    assert budget is not None and budget.amount == BUDGET
    assert budget.spent >= view.cost.amount
