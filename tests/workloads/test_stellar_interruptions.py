"""Driver, workers and Ray's head killed in the middle of a search, by the workload's own Python."""

import shutil
from pathlib import Path

import pytest
from ray_fixture import RayHead
from stellar_attempts import PYTHON, Attempt, Kill, finish_despite, random_kills

pytestmark = [
    pytest.mark.skipif(
        not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
    ),
    pytest.mark.timeout(7200),  # waits have deadlines of their own
]
SEARCH = {"start": "ellipse", "seed": 2, "spectral_weight": 0.1, "max_seconds": 86400}
SHORT = {**SEARCH, "modes": 2, "max_solves": 20}
LONG = {**SEARCH, "modes": 3, "stage_solves": 20, "max_solves": 60}  # with a change of modes


def test_a_search_whose_driver_worker_and_head_were_killed_ends_with_the_same_result(
    tmp_path: Path, ray_head: RayHead
) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    undisturbed = Attempt(alone, 0, ray_head, SHORT).finish()
    kills = [Kill("driver", 3, 0.2), Kill("head", 5, 0.5), Kill("worker", 7, 0.0)]
    assert finish_despite(kills, killed, ray_head, SHORT) == undisturbed
    assert "was lost" in (killed / "log.txt").read_text()


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing_and_lose_a_slice_each(
    tmp_path: Path, ray_head: RayHead
) -> None:
    first = Attempt(tmp_path / "alone", 0, ray_head, LONG)
    undisturbed = first.finish()
    kills = random_kills(20, first.kept(), first.seconds() / first.kept(), seed=0)
    killed = tmp_path / "killed"
    assert finish_despite(kills, killed, ray_head, LONG) == undisturbed
    shutil.rmtree(killed)
