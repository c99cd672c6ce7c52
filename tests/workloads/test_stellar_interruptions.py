"""Searches that are killed in the middle, or have fewer workers, end with the same result.

One that is told to end saves what it has.
"""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ray_fixture import RayHead
from stellar_attempts import Attempt, Kill, driver_environment, finish_despite, random_kills
from stellar_optimization.problems.design import DESIGNS
from stellar_optimization.problems.quasi_isodynamic import TARGETS
from stellar_python import PYTHON, needs_python

pytestmark = [
    needs_python,
    pytest.mark.timeout(7200),  # waits have deadlines of their own
]
SEARCH = {"start": "ellipse", "seed": 2, "spectral_weight": 0.1, "max_seconds": 86400}
SHORT = {**SEARCH, "modes": 2, "max_solves": 20}
SET = {"problem": "mhd_stable", "start": "usual", "ellipse_periods": 2, "ellipse_aspect": 8.0}


def test_a_search_whose_driver_head_and_a_worker_were_killed_ends_with_the_same_result(
    tmp_path: Path, ray_head: RayHead
) -> None:
    """The short form, with driver and head killed at once; the slow one kills them one by one.

    A driver needs a minute to miss its head.
    """
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    undisturbed = Attempt(alone, 0, ray_head, SHORT).finish()
    kills = [Kill("machine", 3, 0.2), Kill("worker", 6, 0.0)]
    assert finish_despite(kills, killed, ray_head, SHORT) == undisturbed
    assert "was lost" in (killed / "log.txt").read_text()


@pytest.mark.timeout(180)  # its reads have no deadlines of their own
def test_sigterm_while_compiling_ends_with_a_checkpoint_and_says_so(
    tmp_path: Path, ray_head: RayHead
) -> None:
    with subprocess.Popen(
        [PYTHON, "-m", "stellar_optimization"],
        cwd=DESIGNS.parent,
        env={
            # Nothing is compiled there: it ends while it compiles.
            **driver_environment(ray_head, tmp_path / "compiled"),
            "JOB_DIR": tmp_path.as_uri(),
            "JOB_WORKERS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as job:
        try:
            assert job.stdout is not None
            while not job.stdout.readline().startswith("compiling"):
                assert job.poll() is None
            job.send_signal(signal.SIGTERM)
            sent = time.monotonic()
            last = job.stdout.readline()
            took = time.monotonic() - sent
            assert not job.stdout.read()
            job.wait()
        finally:
            job.kill()  # has no effect once it has ended
    assert last == "ended by SIGTERM while compiling; step 0 is saved\n"
    assert took < 10  # half a second on an idle machine
    assert job.returncode == 143
    assert (tmp_path / "checkpoints" / "0" / "000000.json").exists()


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing_and_lose_a_slice_each(
    tmp_path: Path, ray_head: RayHead
) -> None:
    first = Attempt(tmp_path / "alone", 0, ray_head, SHORT)
    undisturbed = first.finish()
    kills = random_kills(20, first.kept(), first.seconds() / first.kept(), seed=0)
    killed = tmp_path / "killed"
    assert finish_despite(kills, killed, ray_head, SHORT) == undisturbed
    shutil.rmtree(killed)


@pytest.mark.slow
def test_the_searches_for_a_set_find_the_same_with_one_worker_as_with_two(
    tmp_path: Path, ray_head: RayHead
) -> None:
    parameters = {**SET, "modes": 2, "max_solves": 6, "max_seconds": 86400}
    one, two = (
        Attempt(tmp_path / str(workers), 0, ray_head, parameters, workers).finish()
        for workers in (1, 2)
    )
    one.pop("rows"), two.pop("rows")  # each says which worker solved it
    assert one == two
    assert len(one["state"]["searches"]) == len(TARGETS)
