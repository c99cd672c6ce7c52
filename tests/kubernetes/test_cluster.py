"""From an API server's objects to how jobs stand, through real watches and the real journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_server import ApiServer
from cluster_world import (
    ADMITTED,
    COHORTS,
    EVENTS,
    FOLDER,
    PODS,
    QUEUES,
    RAYJOBS,
    RUNNING,
    TEAM,
    WORKLOADS,
    ClusterWorld,
    no_quota,
)
from ray_fixture import eventually

from ml_platform.cluster.interface import Resources
from ml_platform.cluster.kubernetes import KubernetesCluster
from ml_platform.settings import ArgoCd, WorkloadCluster

NO_APPLICATION = f"Argo CD has no Application of {FOLDER} yet; the ApplicationSet `jobs` makes it."
NOT_APPLIED = "The commit is there; it has not been applied yet."


def test_a_job_is_followed_from_its_commit_to_its_end(world: ClusterWorld):
    world.cluster.start()
    world.application(sync={"status": "Synced"})
    job = world.commit("a")
    world.shows(job, "submitted", NOT_APPLIED)
    world.rayjob(job, {"jobDeploymentStatus": "Suspended"}, suspend=True)
    world.workload(job, no_quota())
    world.shows(job, "queued", "Waits for quota: needs 1 GPU in gpu-l4 more than is free.")
    podset = {"name": "workers", "flavors": {"nvidia.com/gpu": "gpu-l4", "cpu": "gpu-l4"}}
    world.workload(job, ADMITTED, admission={"podSetAssignments": [podset]})
    world.rayjob(job, {"jobDeploymentStatus": "Initializing"})
    world.shows(job, "starting", "Its pods are being made.")
    world.pod(job, "c-head-1", "head")
    world.pod(job, "c-worker-1", "worker", conditions=[])
    world.shows(job, "starting", "0 of 1 workers are ready.")
    world.pod(job, "c-worker-1", "worker")
    world.rayjob(job, RUNNING)
    world.shows(job, "running")
    world.rayjob(job, {**RUNNING, "jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"})
    world.shows(job, "succeeded")
    assert world.row(job).hops == {
        **world.row(job).hops,
        "applied": "2026-11-26T10:00:00Z",
        "admitted": "2026-11-26T10:00:30Z",
        "cluster-ready": "2026-11-26T10:02:00Z",
        "running": "2026-11-26T10:03:00Z",
    }


def test_an_object_that_is_there_before_its_commit_is_known_is_taken_over_later(
    world: ClusterWorld,
):
    world.cluster.start()
    world.rayjob("b-20260101-aaaaaa", RUNNING)
    eventually(world.cluster.objects)
    job = world.commit("b")
    world.shows(job, "running")


def test_a_file_that_cannot_be_read_is_named_on_waiting_jobs_and_their_team(world: ClusterWorld):
    world.cluster.start()
    job, later = world.commit("a"), "b-20260101-aaaaaa"
    message = 'Failed to unmarshal "bad.yaml": yaml: line 3: did not find expected key'
    broken = {
        "sync": {"status": "Unknown", "revision": "refs/heads/main"},
        "conditions": [{"type": "ComparisonError", "message": message}],
    }
    world.application(**broken)
    problem = (
        f"{FOLDER}/bad.yaml cannot be read: yaml: line 3: did not find expected key. Nothing of "
        "this folder is applied or taken away until that file is mended or removed."
    )
    world.shows(job, "submitted", problem)
    assert world.cluster.problems() == {TEAM: (problem,)}
    world.commit("b")
    world.cluster.folder_changed(FOLDER)
    world.shows(later, "submitted", problem)
    world.application(sync={"status": "Synced"})
    world.shows(job, "submitted", NOT_APPLIED)
    assert world.cluster.problems() == {}


def test_what_the_cluster_refuses_is_said_on_the_job_and_to_its_team(world: ClusterWorld):
    world.cluster.start()
    job = world.commit("a")
    refused = {
        "kind": "RayJob",
        "name": job,
        "status": "SyncFailed",
        "message": "rayjobs is forbidden: ValidatingAdmissionPolicy 'x' denied request: no digest",
    }
    operation = {
        "phase": "Running",
        "message": "one or more objects failed to apply. Retrying attempt #1 at 10:00AM.",
        "syncResult": {"resources": [refused]},
    }
    world.application(sync={"status": "OutOfSync"}, operationState=operation)
    world.shows(job, "submitted", "The cluster refuses it: no digest")
    assert world.cluster.problems()[TEAM] == (f"{FOLDER}/{job}: the cluster refuses it: no digest",)


def test_a_preemption_is_a_counted_attempt_and_survives_the_loss_of_its_pods(world: ClusterWorld):
    world.cluster.start()
    job = world.commit("a")
    world.rayjob(job, RUNNING)
    world.workload(job, ADMITTED)
    world.shows(job, "running")
    evicted = {"type": "Evicted", "status": "True", "reason": "Preempted"}
    why = {"type": "Preempted", "status": "True", "reason": "InClusterQueue"}
    stats = {"evictions": [{"reason": "Preempted", "count": 1}]}
    world.workload(job, evicted, why, no_quota("2"), schedulingStats=stats)
    world.rayjob(job, {"jobDeploymentStatus": "Suspended"}, suspend=True)
    world.shows(
        job,
        "queued",
        "Was preempted: a job of its team with a higher priority needs its place. It goes on from "
        "its last checkpoint when there is room. Waits for quota: needs 2 GPUs in gpu-l4 more than "
        "is free.",
        attempt=1,
    )
    world.workload(job, ADMITTED, schedulingStats=stats)
    world.rayjob(job, RUNNING)
    world.shows(job, "running", attempt=1)


def test_a_queue_that_stops_is_said_on_the_jobs_that_wait_in_it(world: ClusterWorld):
    world.cluster.start()
    job = world.commit("a")
    world.rayjob(job, {"jobDeploymentStatus": "Suspended"}, suspend=True)
    inactive = f"ClusterQueue {TEAM} is inactive"
    world.workload(job, {"type": "QuotaReserved", "status": "False", "message": inactive})
    world.shows(job, "queued", f"The queue {TEAM} takes no jobs: the ClusterQueue is inactive.")
    active = {"type": "Active", "status": "False", "reason": "Stopped", "message": "is stopped"}
    world.server.put(QUEUES, {"metadata": {"name": TEAM}, "status": {"conditions": [active]}})
    world.shows(
        job,
        "queued",
        f"The queue {TEAM} is stopped (stopPolicy); it goes on when that is taken back.",
    )


def test_pods_that_the_cluster_refuses_to_make_are_explained_by_its_events(world: ClusterWorld):
    world.cluster.start()
    job = world.commit("a")
    world.workload(job, ADMITTED)
    world.rayjob(job, {"jobDeploymentStatus": "Initializing", "rayClusterName": "a-x1"})
    world.shows(job, "starting", "Its pods are being made.")
    event = {
        "metadata": {"namespace": TEAM, "name": "e1"},
        "type": "Warning",
        "reason": "FailedToCreateHeadPod",
        "message": "exceeded quota: pods=1",
        "lastTimestamp": "2026-11-26T10:00:05Z",
        "involvedObject": {"kind": "RayCluster", "name": "a-x1"},
    }
    world.server.put(EVENTS, event)
    world.shows(job, "starting", "The cluster refuses its pods: exceeded quota: pods=1")
    world.server.put(EVENTS, {**event, "metadata": {"namespace": TEAM, "name": "e2"}})
    world.pod(job, "a-x1-head-1", "head", conditions=[])
    world.shows(job, "starting", "The head of its Ray cluster is starting.")


def test_a_job_that_went_while_nobody_watched_is_not_applied_any_more(world: ClusterWorld):
    job, kept = world.commit("a"), world.commit("b")
    for name in (job, kept):
        world.rayjob(name, RUNNING)
    world.cluster.start()
    world.shows(job, "running")
    world.cluster.stop()
    world.server.delete(RAYJOBS, TEAM, job, silently=True)
    world.cluster = world.new_cluster()
    world.cluster.start()
    world.shows(job, "submitted", NO_APPLICATION)
    world.shows(kept, "running")


def test_an_api_server_that_restarts_changes_nothing(world: ClusterWorld):
    world.cluster.start()
    job = world.commit("a")
    world.rayjob(job, RUNNING)
    world.workload(job, ADMITTED, schedulingStats={"evictions": [{"reason": "x", "count": 1}]})
    world.shows(job, "running", attempt=1)
    events = world.journal.last_event()
    for path in (RAYJOBS, WORKLOADS, PODS):
        world.server.refused_paths[path] = 403
    world.server.break_streams()
    world.server.compact()
    eventually(lambda: world.server.count("watch=true") > 10)
    world.server.refused_paths.clear()
    other = world.commit("b")
    world.rayjob(other, RUNNING)
    world.shows(other, "running")
    changed = [job_id for _, job_id in world.journal.events(events)]
    assert job not in changed
    assert world.row(job).attempt == 1


def test_a_watch_that_stays_down_makes_the_service_unready_in_words(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ml_platform.cluster.kubernetes.LONG_DOWN_SECONDS", 0.2)
    world.server.refused_paths[WORKLOADS] = 403
    world.cluster.start()
    problem = eventually(lambda: "forbidden" in (p := world.cluster.problem() or "") and p)
    assert problem.startswith("workloads of one have not been heard of for")
    world.server.refused_paths.clear()
    eventually(lambda: world.cluster.problem() is None)


def test_jobs_of_two_clusters_are_followed_and_one_that_is_down_hides_nothing_of_the_other(
    world: ClusterWorld, tmp_path: Path
):
    other = ApiServer()
    (tmp_path / "two").mkdir()
    clusters = [
        WorkloadCluster(name="one", kubeconfig=world.kubeconfig),
        WorkloadCluster(name="two", kubeconfig=other.kubeconfig(tmp_path / "two")),
    ]
    world.cluster = KubernetesCluster(clusters, ArgoCd(kubeconfig=world.kubeconfig), world.journal)
    world.cluster.start()
    here, there = world.commit("a"), world.commit("b")
    world.rayjob(here, RUNNING)
    first, world.server = world.server, other
    world.workload(there, no_quota())
    world.rayjob(there, {"jobDeploymentStatus": "Suspended"}, suspend=True)
    world.shows(here, "running")
    world.shows(there, "queued", "Waits for quota: needs 1 GPU in gpu-l4 more than is free.")
    assert [world.row(job).observed.cluster for job in (here, there)] == ["one", "two"]
    assert world.cluster.problem() is None
    other.stop()
    eventually(lambda: "two" in (world.cluster.problem() or ""), 60)
    world.server = first
    world.rayjob(here, {**RUNNING, "jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"})
    world.shows(here, "succeeded")
    world.shows(there, "queued", "Waits for quota: needs 1 GPU in gpu-l4 more than is free.")


def test_capacity_is_what_quotas_give_and_reservations_leave(world: ClusterWorld):
    def quota(name: str, cpu: str, gpus: str) -> dict[str, object]:
        amounts = (("cpu", cpu), ("memory", "64Gi"), ("nvidia.com/gpu", gpus))
        return {
            "name": name,
            "resources": [{"name": n, "nominalQuota": amount} for n, amount in amounts],
        }

    flavors = [quota("gpu-l4-spot", "0", "0"), quota("gpu-l4", "8", "2"), quota("cpu", "4", "0")]
    used = {"resources": [{"name": "cpu", "total": "500m"}, {"name": "nvidia.com/gpu", "total": 3}]}
    world.server.put(
        QUEUES,
        {
            "metadata": {"name": TEAM},
            "spec": {"resourceGroups": [{"flavors": flavors}]},
            "status": {"flavorsReservation": [{"name": "gpu-l4-spot", **used}]},
        },
    )
    cohort = {"resourceGroups": [{"flavors": [quota("gpu-l4-spot", "16", "4")]}]}
    world.server.put(COHORTS, {"metadata": {"name": "ml-platform"}, "spec": cohort})
    assert world.cluster.capacity("gpu-l4") is None
    world.cluster.start()
    capacity = eventually(lambda: world.cluster.capacity("gpu-l4"))
    assert capacity.total == Resources(cpus=24, memory_mib=3 * 65536, gpus=6)
    assert (capacity.free.cpus, capacity.free.gpus) == (23.5, 3)
    assert world.cluster.capacity("other") is None
    assert world.cluster.capacity().total.cpus == 28
