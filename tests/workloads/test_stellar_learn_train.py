"""The task `train` by the workload's own Python: the same rows give the same numbers, killed or not."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from stellar_optimization.problems.design import DESIGNS

PYTHON = os.environ.get("STELLAR_MAIN_PYTHON", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
    ),
    pytest.mark.timeout(600),
]
# A job whose metrics are known functions of its boundaries, so that there is something to learn.
JOB = """
import pathlib, sys
import numpy as np
from stellar_optimization.learn.coefficients import feature_scale, tables
from stellar_optimization.learn.rows import Row, chunk, chunk_name, spread

base = pathlib.Path(sys.argv[1])
random = np.random.default_rng(3)
weights = random.normal(size=(8, 2)) / 2
for search in range(20):
    centre = random.normal(size=8)
    x = centre + 0.3 * random.normal(size=(40, 8))
    values = np.exp(np.tanh(x @ weights))
    r, z = tables(x, 1)
    rows = []
    for number in range(40):
        slope = (1 - np.tanh(x[number] @ weights) ** 2) * values[number]
        known = spread(slope[:, None] * weights.T, np.ones(8), 1) if number % 2 else None
        solved = values[number].tolist() if x[number, 0] < 1.5 else None
        rows.append(Row(f"{search:03d}", f"{search:03d}", 0, number + 1, 0, 3, 1,
                        r[number].ravel().tolist(), z[number].ravel().tolist(), solved,
                        known if solved else None))
    file = base / "data" / chunk_name(f"{search:03d}", 0)
    file.parent.mkdir(parents=True)
    file.write_bytes(chunk(rows, "geometrical", ["one", "two"]))
(base / "data" / "results").mkdir()
(base / "data" / "results" / "summary.json").write_text("{}")
"""


def _start(folder: Path, name: str, attempt: int = 0, **given: Any) -> "subprocess.Popen[str]":
    inherited = {key: text for key, text in os.environ.items() if key != "RAY_ADDRESS"}
    parameters = {"task": "train", "rows_from": "data", "members": 3, "epochs": 60}
    return subprocess.Popen(
        [PYTHON, "-m", "stellar_optimization"],
        cwd=DESIGNS.parent,
        env={
            **inherited,
            "RAY_AUTH_MODE": "disabled",
            "JOB_DIR": (folder / name).as_uri(),
            "JOB_ATTEMPT": str(attempt),
            "JOB_WORKERS": "2" if attempt == 0 else "1",
            "JOB_PARAMETERS": json.dumps({**parameters, **given}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _figures(folder: Path, name: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / name / "results" / "summary.json").read_text())
    del summary["training_seconds"]
    return summary


def test_the_same_rows_give_the_same_numbers_also_after_a_kill_and_with_other_workers(
    tmp_path: Path,
) -> None:
    subprocess.run([PYTHON, "-c", JOB, str(tmp_path)], cwd=DESIGNS.parent, check=True)
    alone = _start(tmp_path, "alone")
    output, _ = alone.communicate()
    assert alone.returncode == 0, output

    killed = _start(tmp_path, "killed")
    members = tmp_path / "killed" / "checkpoints" / "0"
    while not list(members.glob("surrogate-*/[0-9]*.npz")):
        assert killed.poll() is None
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = _start(tmp_path, "killed", attempt=1)
    output, _ = again.communicate()
    assert again.returncode == 0, output

    figures = _figures(tmp_path, "alone")
    assert figures == _figures(tmp_path, "killed")
    assert figures["lineages"] == 20
    assert figures["one_r2"] > 0.5 and figures["two_r2"] > 0.5
    names = {path.name for path in (tmp_path / "alone" / "results").iterdir()}
    assert {"surrogate.npz", "calibration.png", "calibration-dark.png"} <= names
    metrics = [json.loads(p.read_text()) for p in (tmp_path / "alone" / "metrics").iterdir()]
    assert metrics and all(row["surrogate_loss"] < 10 for row in metrics)


def test_a_job_without_rows_ends_with_the_parameter_and_the_reason(tmp_path: Path) -> None:
    job = _start(tmp_path, "mine", rows_from="nonesuch")
    output, _ = job.communicate()
    assert job.returncode == 1
    assert output.splitlines()[-1] == (
        "nothing to learn from: rows_from: there is no job 'nonesuch' beside this one; check its name"
    )
