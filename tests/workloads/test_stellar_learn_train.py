"""The task `train` by the workload's own Python: the same rows give the same numbers, killed or not."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from stellar_optimization.problems.design import DESIGNS

PYTHON = os.environ.get("STELLAR_MAIN_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(
        not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
    ),
    pytest.mark.timeout(
        900
    ),  # half a minute of CPU time per attempt, most of it starting processes
]
# A job whose metrics are known functions of its boundaries, so that there is something to learn.
JOB = """
import pathlib, sys
import numpy as np
from stellar_optimization.learn.coefficients import feature_scale, tables
from stellar_optimization.learn.rows import Row, chunk, chunk_name, spread

base = pathlib.Path(sys.argv[1])
random = np.random.default_rng(3)
weights = 0.15 * random.normal(size=(8, 2))
for search in range(10):
    x = 0.3 * random.normal(size=8) + 0.7 * random.normal(size=(50, 8))
    values = np.exp(np.tanh(x @ weights))
    r, z = tables(x, 1)
    rows = []
    for number in range(50):
        slope = (1 - np.tanh(x[number] @ weights) ** 2) * values[number]
        known = spread(slope[:, None] * weights.T, np.ones(8), 1) if number % 2 else None
        solved = values[number].tolist() if x[number, 0] < 1.0 else None
        rows.append(Row(f"{search:03d}", f"{search:03d}", 0, number + 1, 0, 3, 1,
                        r[number].ravel().tolist(), z[number].ravel().tolist(), solved,
                        known if solved else None))
    file = base / "data" / chunk_name(f"{search:03d}", 0)
    file.parent.mkdir(parents=True)
    file.write_bytes(chunk(rows, "geometrical", ["one", "two"]))
(base / "data" / "results").mkdir()
(base / "data" / "results" / "summary.json").write_text("{}")
"""


def _environment() -> dict[str, str]:
    inherited = {key: text for key, text in os.environ.items() if key != "RAY_ADDRESS"}
    return {
        **inherited,
        "RAY_AUTH_MODE": "disabled",
        "RAY_raylet_start_wait_time_s": "60",  # a busy machine may need it
    }


def _start(folder: Path, name: str, attempt: int = 0, **given: Any) -> "subprocess.Popen[str]":
    parameters = {"task": "train", "rows_from": "data", "members": 2, "epochs": 40}
    return subprocess.Popen(
        [PYTHON, "-m", "stellar_optimization"],
        cwd=DESIGNS.parent,
        env={
            **_environment(),
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


@pytest.mark.slow
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
    assert figures["lineages"] == 10 and figures["rows_left_aside"] == "none"
    assert figures["one_r2"] > 0.3 and figures["two_r2"] > 0.3
    names = {path.name for path in (tmp_path / "alone" / "results").iterdir()}
    assert {"surrogate.npz", "calibration.png", "calibration-dark.png"} <= names
    metrics = [json.loads(p.read_text()) for p in (tmp_path / "alone" / "metrics").iterdir()]
    assert metrics and all(row["surrogate_loss"] < 10 for row in metrics)


WITHOUT_CORES = """
import sys, types
import ray
from stellar_optimization.learn import train
from stellar_optimization.learn.dataset import job_directories, load
from stellar_optimization.run.run_directory import RunDirectory

train.QUIET_SECONDS = 0.0
ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
held = ray.util.placement_group([{"CPU": 1}])  # as another job would
ray.get(held.ready())
own = sys.argv[1] + "/mine"
rows = load(job_directories(own, ["data"]), "geometrical").dataset

def watch(notes):  # patience ends once it is clear what the training waits for
    if any(group["state"] == "PENDING" for group in ray.util.placement_group_table().values()):
        train.START_SECONDS = 0.0

try:
    train.fit(train.prepare(rows, 2), RunDirectory(own, 0), 2, 40, 1, watch)
except train.NotStarted as error:
    print(error)
"""


@pytest.mark.slow
def test_a_training_that_gets_no_core_says_so_and_ends(tmp_path: Path) -> None:
    subprocess.run([PYTHON, "-c", JOB, str(tmp_path)], cwd=DESIGNS.parent, check=True)
    done = subprocess.run(
        [PYTHON, "-c", WITHOUT_CORES, tmp_path.as_uri()],
        cwd=DESIGNS.parent,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    reason = "the training's processes do not run yet: "
    assert lines[0].endswith(f" s: {reason}they are slow to start"), done.stderr
    last = f"nothing was trained in \\d+ s; {reason}no cores are free for them"
    assert re.fullmatch(last, lines[-1]), done.stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"task": "loop", "problem": "all"},
            "problem must be geometrical for the task loop, got all: ",
        ),
        ({"problem": "all"}, "problem must be a single one for the task train, got all: "),
    ],
)
def test_a_problem_that_the_task_does_not_know_is_refused_by_name(
    tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    job = _start(tmp_path, "mine", **given)
    output, _ = job.communicate()
    assert job.returncode == 2
    assert output.startswith(sentence)


def test_a_job_without_rows_ends_with_the_parameter_and_the_reason(tmp_path: Path) -> None:
    job = _start(tmp_path, "mine", rows_from="nonesuch")
    output, _ = job.communicate()
    assert job.returncode == 1
    assert output.splitlines()[-1] == (
        "nothing to learn from: rows_from: there is no job 'nonesuch' beside this one; check its name"
    )
