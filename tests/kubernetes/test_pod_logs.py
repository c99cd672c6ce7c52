"""Logs of a job's pods, and its size, on a real HTTP server."""

from __future__ import annotations

import pytest
from cluster_world import PODS, RUNNING, TEAM, ClusterWorld
from ray_fixture import eventually

from ml_platform.errors import InputError, NotFoundError
from ml_platform.service.views import log_sources


@pytest.fixture
def running(world: ClusterWorld) -> str:
    job = world.commit("a")
    world.rayjob(job, RUNNING)
    world.pod(
        job, "old-head", "head", created="2026-11-26T09:00:00Z", labels={"ray.io/cluster": "o"}
    )
    world.pod(job, "c-head-1", "head")
    world.pod(job, "c-worker-b", "worker", created="2026-11-26T10:01:02Z")
    world.pod(job, "c-worker-a", "worker", created="2026-11-26T10:01:03Z")
    world.pod(job, "submitter-1", None)
    for name in ("old-head", "c-head-1", "c-worker-a", "c-worker-b", "submitter-1"):
        world.server.say(name, f"{name} says\n".encode(), last=True)
    world.cluster.start()
    world.shows(job, "running")
    eventually(lambda: len(world.row(job).observed.pods) == 5)
    return job


def _log(world: ClusterWorld, job: str, source: str, tail: int | None = None) -> bytes:
    stream = world.cluster.pod_log(TEAM, job, source, tail=tail, follow=False)
    return b"".join(stream.blocks())


@pytest.mark.parametrize(
    ("source", "pod"),
    [
        ("head", "c-head-1"),
        ("worker-0", "c-worker-a"),
        ("worker-1", "c-worker-b"),
        ("submitter", "submitter-1"),
    ],
)
def test_a_log_comes_from_the_newest_attempts_pod(
    world: ClusterWorld, running: str, source: str, pod: str
):
    assert _log(world, running, source) == f"{pod} says\n".encode()
    assert world.server.count(f"/namespaces/{TEAM}/pods/{pod}/log?container=ray-") == 1


def test_every_log_that_a_job_offers_can_be_read(world: ClusterWorld, running: str):
    program, *pods = log_sources(world.row(running))
    assert (program.name, program.every_attempt) == ("job", True)
    assert [(pod.name, pod.title) for pod in pods] == [
        ("submitter", "Submitter"),
        ("head", "Head"),
        ("worker-0", "Worker 0"),
        ("worker-1", "Worker 1"),
    ]
    for pod in pods:
        assert not pod.every_attempt
        assert _log(world, running, pod.name).endswith(b" says\n")


def test_a_followed_log_comes_as_it_is_written_and_ends_with_its_pod(
    world: ClusterWorld, running: str
):
    world.server.log_ended.discard("c-head-1")
    stream = world.cluster.pod_log(TEAM, running, "head", tail=None, follow=True)
    blocks = stream.blocks()
    assert next(blocks) == b"c-head-1 says\n"
    world.server.say("c-head-1", b"more\n")
    assert next(blocks) == b"more\n"
    world.server.say("c-head-1", b"last\n", last=True)
    assert list(blocks) == [b"last\n"]


def test_the_end_of_a_log_alone_can_be_had(world: ClusterWorld, running: str):
    world.server.logs["c-head-1"] = [b"1\n", b"2\n", b"3\n"]
    assert _log(world, running, "head", tail=2) == b"2\n3\n"


@pytest.mark.parametrize("source", ["", "pod", "worker", "worker-x", "worker-0/../head"])
def test_what_is_no_source_is_refused(world: ClusterWorld, running: str, source: str):
    with pytest.raises(InputError, match="submitter, head or worker-<number>"):
        _log(world, running, source)


def test_pods_that_are_not_there_are_said_to_be_gone(world: ClusterWorld, running: str):
    with pytest.raises(NotFoundError, match="has 2 workers now, from worker-0 to worker-1"):
        _log(world, running, "worker-2")
    world.server.delete(PODS, TEAM, "submitter-1")
    eventually(lambda: len(world.row(running).observed.pods) == 4)
    with pytest.raises(NotFoundError, match=r"the submitter pod .* is not there"):
        _log(world, running, "submitter")
    with pytest.raises(NotFoundError, match="is in no cluster"):
        _log(world, "other-20260101-aaaaaa", "head")
    del world.server.logs["c-head-1"]
    with pytest.raises(NotFoundError, match=r"the head pod of .* has no log"):
        _log(world, running, "head")
