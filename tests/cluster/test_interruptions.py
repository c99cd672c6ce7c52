"""What is killed, lost or preempted in the middle of a job, on real pods."""

from __future__ import annotations

import json

import pytest
import yaml
from jobs import JobOnCluster
from platform_service import PlatformService
from testbed.cluster import Cluster
from testbed.waiting import wait_until

pytestmark = [
    pytest.mark.usefixtures("real_pods"),
    pytest.mark.timeout(1500),
]
CONTROLLERS = (
    "redis",
    "repo-server",
    "application-controller",
    "applicationset-controller",
    "kueue",
    "kuberay",
)


def submitted(
    cluster: Cluster, platform: PlatformService, team: str, seconds: int, **request: object
) -> JobOnCluster:
    parameters = {"seconds": seconds}
    job = platform.submit(team, parameters=parameters, max_duration="15m", **request)
    return JobOnCluster(cluster, job, team)


def edited(text: str) -> str:
    """A job's file that somebody suspends, and gives another image, more workers and an annotation.

    For the annotation Argo CD applies the file, which it would not for what it ignores.
    """
    manifest = yaml.safe_load(text)
    manifest["metadata"]["annotations"]["note"] = "edited"
    manifest["spec"]["suspend"] = True
    cluster = manifest["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    workers["replicas"] = workers["minReplicas"] = workers["maxReplicas"] = 2
    for group in (cluster["headGroupSpec"], workers):
        group["template"]["spec"]["containers"][0]["image"] = "registry.example.org/another"
    return yaml.safe_dump(manifest)


BESIDE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside"}}


def synced_by(cluster: Cluster, team: str, document: dict[str, object] | None) -> set[str]:
    """Add an object to the shard of the team's jobs, or remove it; names of what Argo CD then synced."""
    application = f"jobs-{team}-000"
    path = f"jobs/{team}/000/beside.yaml"
    text = yaml.dump(document) if document else None
    cluster.wait_synced(application, cluster.repository.commit({path: text}))
    found = cluster.objects.get("argoproj.io/v1alpha1", "Application", application, "argocd")
    return {item["name"] for item in found["status"]["operationState"]["syncResult"]["resources"]}


def check_resumed(job: JobOnCluster, seconds: int) -> None:
    """Exactly one counted new attempt, which went on where the first was cut off."""
    assert job.attempts() == [0, 1]
    summary = job.summary()
    assert summary["attempt"] == 1
    assert 0 < summary["resumed_from"] < seconds
    assert job.job.refresh().attempt == 1
    text = job.job.logs(attempt=1)
    assert f"resumes from step {summary['resumed_from']} of attempt 0" in text
    # The fence: nothing of attempt 0 was taken once its successor had the number, though the old worker
    # of the lost head goes on. One step may have been recorded whose checkpoint was not there yet.
    assert job.steps(0) <= summary["resumed_from"] + 1
    assert job.steps(1) == seconds - summary["resumed_from"]


@pytest.mark.usefixtures("own_processes")
def test_restarts_in_the_middle_of_a_job_change_nothing(
    cluster: Cluster, platform: PlatformService, team: str
) -> None:
    job = submitted(cluster, platform, team, 30)
    job.wait_checkpoints(0, 3)
    uid, ray_id, cluster_name = job.uid, job.status["jobId"], job.status["rayClusterName"]
    spec = (job.rayjob or {})["spec"]
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert head["nodeSelector"], "Kueue has written its flavor's nodes; Git has none for a head"
    platform.kill()
    for name in CONTROLLERS:
        cluster.component(name).kill()
    cluster.component("apiserver").kill()
    # Controllers end without an API server at their start; in a cluster the kubelet tries again.
    for name in ("apiserver", *CONTROLLERS):
        cluster.component(name).start()
        cluster.component(name).wait_ready(120)
    # Something else of its shard is applied while it runs: what Kueue wrote into the spec must survive.
    assert synced_by(cluster, team, BESIDE) == {"beside"}
    assert (job.rayjob or {})["spec"] == spec
    # T5, T6: nor does an edit of its own file reach it, which would stop it.
    file = f"jobs/{team}/000/{job.id}.yaml"
    text = cluster.repository.read(file)
    assert text is not None
    for content, note in ((edited(text), "edited"), (text, None)):
        cluster.wait_synced(f"jobs-{team}-000", cluster.repository.commit({file: content}))
        found = job.rayjob or {}
        assert found["spec"] == spec
        assert found["metadata"]["annotations"].get("note") == note
    done = lambda: job.status.get("jobDeploymentStatus") == "Complete"  # noqa: E731
    wait_until(done, "the job is complete", 240, pause=0.5, explain=lambda: str(job.status))
    # Finished and still in the active set, as the service is down: a commit must not run it again.
    assert synced_by(cluster, team, None) == {"beside"}
    assert (job.uid, job.status["jobId"], job.status["rayClusterName"]) == (
        uid,
        ray_id,
        cluster_name,
    )
    platform.start()
    job.wait_phase("succeeded")
    job.wait_archived()
    assert job.attempts() == [0] and job.summary()["resumed_from"] == 0
    assert job.job.refresh().attempt == 0


def test_a_lost_head_a_lost_worker_and_a_preemption_each_give_one_counted_attempt_that_resumes(
    cluster: Cluster, platform: PlatformService, team: str
) -> None:
    """Three jobs side by side, since all wait for Ray most of the time; the pool has four workers.

    The preempted one says why it waits. A cancelled job's Ray stops and what it had goes to others.
    """
    # Long enough for an old worker not to finish, which goes on for a minute without its head or, preempted,
    # for its grace period; the next attempt takes a small part of the time.
    seconds = 300
    headless = submitted(cluster, platform, team, seconds, attempts=2)
    workerless = submitted(cluster, platform, team, seconds, attempts=2)
    preempted = submitted(cluster, platform, team, seconds, priority="low", attempts=1)
    for job in (headless, workerless, preempted):
        job.wait_checkpoints(0, 3)
    waiting = submitted(cluster, platform, team, 1, workers=2, priority="low", attempts=1)
    waiting.wait_phase("queued", seconds=60)
    wait_until(
        lambda: "quota" in (waiting.job.refresh().state.reason or ""),
        "the page says why it waits",
        60,
        explain=waiting.why,
    )
    waiting.job.cancel()
    urgent = submitted(cluster, platform, team, 600, workers=2, priority="high", attempts=1)
    preempted.wait_phase("queued", seconds=120)
    assert "preempted" in (preempted.job.refresh().state.reason or "").lower()
    for job, kind in ((workerless, "worker"), (headless, "head")):
        (lost,) = job.pods(kind)
        delete_now(cluster, lost)
    urgent.wait_checkpoints(0, 3)
    urgent.job.cancel("not needed any more")
    urgent.wait_archived()
    preempted.wait_phase("starting", "running", "succeeded", seconds=60)
    wait_until(lambda: not urgent.pods(), "its pods are gone", 60)
    assert end_of(cluster, urgent)["cause"] == "stopped by SIGTERM"
    waiting.wait_archived()
    for job in (workerless, headless, preempted):
        job.wait_phase("succeeded", seconds=500)
        job.wait_archived()
        check_resumed(job, seconds)
    assert end_of(cluster, preempted)["cause"] == "stopped by SIGTERM"


def test_an_attempt_that_has_a_successor_ends_although_its_pods_run_on(
    cluster: Cluster, platform: PlatformService, team: str
) -> None:
    """The fence alone: nobody takes anything from the first attempt but its number."""
    seconds = 300
    job = submitted(cluster, platform, team, seconds, attempts=2)
    job.wait_checkpoints(0, 3)
    running = {pod["metadata"]["uid"] for pod in job.pods() if pod["status"]["phase"] == "Running"}
    successor = cluster.runs / job.id / "attempts" / "1"
    successor.mkdir()
    (successor / "claim.json").write_text(json.dumps({"number": 1}))  # as its launcher does
    assert running <= {pod["metadata"]["uid"] for pod in job.pods()}
    assert end_of(cluster, job)["cause"] == "superseded by attempt 2"
    recorded = job.steps(0)
    job.wait_phase("succeeded", seconds=300)
    job.wait_archived()
    assert job.steps(0) == recorded < seconds
    assert job.attempts() == [0, 1, 2]
    summary = job.summary()
    assert summary["attempt"] == 2
    assert recorded - 1 <= summary["resumed_from"] <= recorded
    assert job.steps(2) == seconds - summary["resumed_from"]


def end_of(cluster: Cluster, job: JobOnCluster) -> dict[str, object]:
    """How the first attempt ended, as its launcher recorded it."""
    file = cluster.runs / job.id / "attempts" / "0" / "exit.json"
    wait_until(file.exists, "the launcher has recorded the end", 60)
    return dict(json.loads(file.read_text()))


def delete_now(cluster: Cluster, pod: dict[str, dict[str, str]]) -> None:
    """As when its machine is lost: nobody asks it to end."""
    metadata = pod["metadata"]
    cluster.objects.request(
        "DELETE",
        f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}",
        {"gracePeriodSeconds": 0},
    )
