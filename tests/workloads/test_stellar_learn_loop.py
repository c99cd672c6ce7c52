"""The task `loop`, killed and continued, by the workload's own Python: the same starts, rows and verdict."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from stellar_attempts import EVALUATOR
from stellar_optimization.problems.design import DESIGNS

PYTHON = os.environ.get("STELLAR_MAIN_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
    ),
    pytest.mark.timeout(1500),  # each attempt compiles
]
PARAMETERS = {
    "task": "loop",
    "modes": 2,
    "spectral_weight": 0.1,
    "rounds": 1,
    "starts": 3,
    "start_solves": 18,  # so that 30 of the first 54 have an equilibrium
    "members": 2,
    "epochs": 30,
    "candidates": 2000,
}


def _start(folder: Path, attempt: int) -> "subprocess.Popen[str]":
    inherited = {key: text for key, text in os.environ.items() if key != "RAY_ADDRESS"}
    evaluator = (
        folder / "environments" / "score" / "bin" / "python"
    )  # a stand-in, without its minutes
    evaluator.parent.mkdir(parents=True, exist_ok=True)
    evaluator.write_text(EVALUATOR)
    evaluator.chmod(0o755)
    return subprocess.Popen(
        [PYTHON, "-m", "stellar_optimization"],
        cwd=DESIGNS.parent,
        env={
            **inherited,
            "RAY_AUTH_MODE": "disabled",
            "RAY_raylet_start_wait_time_s": "60",  # a busy machine may need it
            "JOB_ID": "loop",
            "JOB_DIR": folder.as_uri(),
            "JOB_ATTEMPT": str(attempt),
            "JOB_WORKERS": "2",
            "JOB_ENVIRONMENTS": str(folder / "environments"),
            "JOB_PARAMETERS": json.dumps(PARAMETERS),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _summary(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "results" / "summary.json").read_text())
    return {name: value for name, value in summary.items() if name not in ("seconds", "cpu_hours")}


def _rows(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / "rows").rglob("*.parquet"))
    # The worker that solved it, a column, may be another one after a kill.
    return {str(file.relative_to(folder)): b"" for file in files}


def test_a_loop_that_was_killed_ends_with_the_same_starts_rows_and_figures(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    process = _start(alone, 0)
    output, _ = process.communicate()
    assert process.returncode == 0, output

    process = _start(killed, 0)
    while len(list((killed / "rows").rglob("*.parquet"))) < 5:
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = _start(killed, 1)
    output, _ = process.communicate()
    assert process.returncode == 0, output

    assert _summary(killed) == _summary(alone)
    assert _rows(killed) == _rows(alone)
    summary = _summary(alone)
    assert summary["cold_starts"] == summary["proposed_starts"] == summary["archived_starts"] == 3
    assert "proposed starts" in summary["verdict"]
    assert (alone / "results" / "starts-dark.png").exists()
