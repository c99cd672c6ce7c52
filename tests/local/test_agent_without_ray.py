"""What the agent does with the active set while no Ray answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign_writer import push
from ray_fixture import eventually
from service_world import content_of
from world import TEAM, World

from ml_platform.local.ray_jobs import RayJobs
from ml_platform.repository.layout import job_path


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[World]:
    """A world whose Ray never answers."""
    ray = RayJobs("http://127.0.0.1:9", None)
    made = World(tmp_path, ray)
    yield made
    made.close()
    ray.close()


def test_a_job_that_waits_is_told_that_ray_does_not_answer(silent: World) -> None:
    silent.start_agent()
    job_id = silent.submit("waits", "pass")
    eventually(lambda: "Ray does not answer" in str(silent.status(job_id).get("message")))
    assert silent.deployment(job_id) == "Suspended"


def test_a_cancelled_job_that_comes_back_before_it_is_gone_is_applied_again(silent: World) -> None:
    silent.start_agent()
    job_id = silent.submit("back", "pass")
    path = job_path(TEAM, job_id, 1)
    eventually(lambda: "Ray does not answer" in str(silent.status(job_id).get("message")))
    content = content_of(silent.repository.path, path)
    first = metadata(silent, job_id)["uid"]

    push(silent.repository.path, {path: None})
    eventually(
        lambda: "deletionTimestamp" in metadata(silent, job_id) or not metadata(silent, job_id)
    )
    push(silent.repository.path, {path: content})
    eventually(lambda: metadata(silent, job_id).get("uid", first) != first)
    assert silent.deployment(job_id) == "Suspended"


def metadata(world: World, job_id: str) -> dict[str, Any]:
    return dict(world.cluster.objects().get(job_id, {}).get("metadata", {}))
