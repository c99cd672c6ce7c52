"""Driver and workers killed in the middle of a search, by the workload's own Python.

A stand-in answers for the official evaluator, whose minutes prove nothing about the search.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from stellar_optimization.problems.design import DESIGNS

PYTHON = os.environ.get("STELLAR_MAIN_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(
        not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
    ),
    pytest.mark.timeout(1500),  # each attempt compiles
]
PARAMETERS = {"start": "ellipse", "modes": 2, "max_solves": 20, "seed": 2, "spectral_weight": 0.1}
EVALUATOR = f"""#!{sys.executable}
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    score = round(1 - asked["boundary"]["r_cos"][1][2], 6)
    answer = dict(error=None, feasible=True, violations=[0, 0, 0], objective=1.3, score=score)
    print(json.dumps(dict(answer, cpu_seconds=0, fidelity=asked["fidelity"])), flush=True)
"""
TIMES = {"seconds", "cpu_seconds", "search_seconds", "history", "step"}


class Attempt:
    """One run of the entrypoint in `folder`."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._number = folder, number
        evaluator = folder / "environments" / "score" / "bin" / "python"
        evaluator.parent.mkdir(parents=True, exist_ok=True)
        evaluator.write_text(EVALUATOR)
        evaluator.chmod(0o755)
        inherited = {name: text for name, text in os.environ.items() if name != "RAY_ADDRESS"}
        self._log = (folder / "log.txt").open("a")
        self._process = subprocess.Popen(
            [PYTHON, "-m", "stellar_optimization"],
            cwd=DESIGNS.parent,
            env={
                **inherited,
                "RAY_AUTH_MODE": "disabled",
                "JOB_DIR": folder.as_uri(),
                "JOB_ATTEMPT": str(number),
                "JOB_WORKERS": "2",
                "JOB_ENVIRONMENTS": str(folder / "environments"),
                "JOB_PARAMETERS": json.dumps(PARAMETERS),
            },
            stdout=self._log,
            stderr=subprocess.DEVNULL,
        )

    def wait_for_checkpoints(self, count: int) -> None:
        """Until so many more than the first, which says where the attempt begins."""
        first = None
        while first is None or self._newest() < first + count:
            assert self._process.poll() is None, (self._folder / "log.txt").read_text()
            first = first if first is not None else self._newest()
            time.sleep(0.2)

    def kill_a_worker(self) -> None:
        family = psutil.Process(self._process.pid).children(recursive=True)
        next(p for p in family if p.cmdline()[0].startswith("ray::Worker")).kill()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def finish(self) -> dict[str, Any]:
        """The last checkpoint's state without times, which differ from run to run."""
        assert self._process.wait() == 0, (self._folder / "log.txt").read_text()
        self._log.close()
        newest = max((self._folder / "checkpoints" / str(self._number)).glob("*.json"))
        state = json.loads(newest.read_text())
        return {name: value for name, value in state.items() if name not in TIMES}

    def _newest(self) -> int | None:
        files = (self._folder / "checkpoints" / str(self._number)).glob("*.json")
        return max((int(file.stem) for file in files if file.stem.isdigit()), default=None)


def test_a_search_whose_driver_and_worker_were_killed_ends_with_the_same_state(
    tmp_path: Path,
) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "killed").mkdir()
    alone = Attempt(tmp_path / "alone", 0).finish()

    first = Attempt(tmp_path / "killed", 0)
    first.wait_for_checkpoints(7)
    first.kill()
    second = Attempt(tmp_path / "killed", 1)
    second.wait_for_checkpoints(3)
    second.kill_a_worker()
    killed = second.finish()

    assert "was lost" in (tmp_path / "killed" / "log.txt").read_text()
    assert killed == alone
    design = "results/design.json"
    assert (tmp_path / "killed" / design).read_text() == (tmp_path / "alone" / design).read_text()
