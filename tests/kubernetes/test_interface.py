"""What both places where jobs run are held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from cluster_world import QUEUES, RAYJOBS, RUNNING, TEAM, ClusterWorld
from ray_fixture import eventually

from ml_platform.cluster.interface import Cluster, Observed, Resources
from ml_platform.cluster.local import LocalCluster, Record
from ml_platform.errors import NotFoundError

JOB = "a-20260101-aaaaaa"


class Place:
    """A cluster, what it told, and how an object gets in and out."""

    cluster: Cluster
    put: Callable[[dict[str, Any]], None]
    remove: Callable[[], None]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Place]:
    place, size = Place(), Resources(cpus=4, memory_mib=1024)
    cluster = LocalCluster(tmp_path / "cluster.db", size, lambda job_id, seen: None)
    place.cluster = cluster
    place.put = lambda rayjob: (cluster.put(Record(JOB, 1, "p", "o", rayjob)), None)[1]
    place.remove = lambda: cluster.remove(JOB)
    yield place
    cluster.close()


@pytest.fixture
def kubernetes(world: ClusterWorld, server: ApiServer) -> Place:
    place = Place()
    place.cluster = world.cluster
    place.put = lambda rayjob: world.rayjob(JOB, rayjob["status"])
    place.remove = lambda: server.delete(RAYJOBS, TEAM, JOB)
    quota = {"name": "cpu", "nominalQuota": "4"}
    groups = [{"flavors": [{"name": "laptop", "resources": [quota]}]}]
    server.put(QUEUES, {"metadata": {"name": TEAM}, "spec": {"resourceGroups": groups}})
    world.cluster.start()
    return place


@pytest.fixture(params=["local", "kubernetes"])
def place(request: pytest.FixtureRequest) -> Place:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Place)
    return found


def test_objects_are_there_by_job_id_until_they_are_removed(place: Place):
    place.put({"metadata": {"name": JOB}, "status": RUNNING})
    found = eventually(lambda: place.cluster.objects().get(JOB))
    assert found["status"]["jobStatus"] == "RUNNING"
    place.remove()
    eventually(lambda: JOB not in place.cluster.objects())


def test_capacity_is_told_of_a_pool_and_of_all(place: Place):
    capacity = eventually(lambda: place.cluster.capacity("laptop"))
    assert capacity.total.cpus == capacity.free.cpus == 4
    everything = place.cluster.capacity()
    assert everything is not None
    assert everything.total.cpus == 4


def test_nothing_is_held_up_where_nothing_is_wrong(place: Place):
    assert dict(place.cluster.problems()) == {}


def test_a_pod_that_is_not_there_is_refused_in_a_sentence(place: Place):
    with pytest.raises(NotFoundError) as caught:
        place.cluster.pod_log(TEAM, JOB, "head", tail=None, follow=False)
    assert JOB in caught.value.message
    assert "source `job`" in str(caught.value)


def test_what_was_observed_comes_back_from_the_journal_as_it_was():
    seen = Observed({"a": 1}, pods=({"b": 2},), workload={"c": 3}, cluster="one")
    assert Observed.of(seen.rayjob, seen.surroundings()) == seen
    assert Observed().surroundings() == {}
