from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_fixture import RayHead

sys.path.insert(0, str(Path(__file__).parent))

from world import World  # lies beside the tests, which are imported by path


@pytest.fixture
def world(tmp_path: Path, ray_head: RayHead) -> Iterator[World]:
    ray = ray_head.jobs()
    made = World(tmp_path, ray)
    yield made
    made.close()
    ray.close()
