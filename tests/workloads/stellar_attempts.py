"""Attempts of `stellar_optimization` by its own Python, on a Ray that can be killed like they can.

A stand-in answers for the official evaluator, whose minutes prove nothing about the search.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import psutil
from ray_fixture import RayHead, eventually
from stellar_optimization.problems.design import DESIGNS
from stellar_python import PYTHON

EVALUATOR = f"""#!{sys.executable}
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    score = round(1 - asked["boundary"]["r_cos"][1][2], 6)
    answer = dict(error=None, feasible=True, objective=1.3, score=score)
    answer["violations"] = [0] * (3 if asked["problem"] == "geometrical" else 5)
    answer["metrics"] = dict(aspect_ratio=10.0, axis_rotational_transform_over_n_field_periods=0.28)
    print(json.dumps(dict(answer, cpu_seconds=0, fidelity=asked["fidelity"])), flush=True)
"""
TIMES = {"seconds", "cpu_seconds", "began", "search_seconds", "history"}
SUMMARY_TIMES = {"search_seconds", "cpu_hours"}
PATIENCE = 1200.0  # seconds; a busy machine takes that long to compile

# "machine": driver and head at the same moment.
Victim = Literal["driver", "worker", "head", "machine"]


def driver_environment(head: RayHead, compiled: Path) -> dict[str, str]:
    """The environment of a driver on `head`, whose workers keep in `compiled` what they compile."""
    cache = {"JAX_COMPILATION_CACHE_DIR": str(compiled)}
    return {
        **head.environment,
        "RAY_ADDRESS": f"127.0.0.1:{head.gcs_port}",
        # What the platform's launcher sets too: workers have the driver's Python.
        "RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps(
            {"runtime_env": {"py_executable": PYTHON, "env_vars": cache}}
        ),
    }


@dataclass(frozen=True)
class Kill:
    """SIGKILL to `victim`, `delay` seconds after the checkpoint of `step` was there."""

    victim: Victim
    step: int
    delay: float


class Attempt:
    """One run of the entrypoint in `folder`, on `head`, until it ends or is killed."""

    def __init__(
        self,
        folder: Path,
        number: int,
        head: RayHead,
        parameters: dict[str, Any],
        workers: int = 2,
        compiled: Path | None = None,
    ) -> None:
        self.number, self._folder, self._head = number, folder, head
        evaluator = folder / "environments" / "score" / "bin" / "python"
        evaluator.parent.mkdir(parents=True, exist_ok=True)
        evaluator.write_text(EVALUATOR)
        evaluator.chmod(0o755)
        with (folder / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "stellar_optimization"],
                cwd=DESIGNS.parent,
                env={
                    **driver_environment(head, compiled or _kept(folder)),
                    "JOB_DIR": folder.as_uri(),
                    "JOB_ATTEMPT": str(number),
                    "JOB_WORKERS": str(workers),
                    "JOB_ENVIRONMENTS": str(folder / "environments"),
                    "JOB_PARAMETERS": json.dumps(parameters),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._began = psutil.Process(self._process.pid).create_time()

    def wait_for(self, step: int) -> int:
        """Until a checkpoint of this attempt has at least that step; returns the attempt's first."""
        first: list[int] = []

        def reached() -> bool:
            steps = self._steps()
            first.extend(steps[:1] if not first else [])
            if self._process.poll() is not None:
                raise AssertionError(f"ended before step {step}:\n{self.log()[-3000:]}")
            return bool(steps) and steps[-1] >= step

        eventually(reached, PATIENCE)
        return first[0]

    def suffer(self, kill: Kill) -> None:
        """Wait for the moment of `kill` and kill; a head is started again, a driver is not."""
        self.wait_for(kill.step)
        time.sleep(kill.delay)  # waits for nothing: any moment between two checkpoints is meant
        if kill.victim == "worker":
            eventually(self._workers, PATIENCE)[0].kill()
        if kill.victim in ("driver", "machine"):
            self._process.kill()
            self._process.wait()
        if kill.victim in ("head", "machine"):
            self._head.kill()
            self._process.wait(PATIENCE)  # it has nothing to go on with, and must notice
            self._head.start()

    def finish(self) -> dict[str, Any]:
        """What the job knows and leaves at its end, without times, which differ from run to run."""
        assert self._process.wait(PATIENCE) == 0, self.log()
        newest = self._checkpoints() / f"{self._steps()[-1]:06d}.json"
        results, rows = self._folder / "results", self._folder / "rows"
        return {
            "state": _without(TIMES, json.loads(newest.read_text())),
            "summary": _without(SUMMARY_TIMES, json.loads((results / "summary.json").read_text())),
            "design": (results / "design.json").read_text(),
            "rows": {str(p.relative_to(rows)): p.read_bytes() for p in rows.rglob("*.parquet")},
        }

    def kept(self) -> int:
        """Step of the newest checkpoint."""
        return self._steps()[-1]

    def shown(self) -> int:
        """The last step that has a row of metrics."""
        files = sorted((self._folder / "metrics").glob(f"{self.number}-*.jsonl"))
        steps = [json.loads(file.read_text())["step"] for file in files[-1:]]
        return max(steps, default=0)

    def seconds(self) -> float:
        """Of work, as its last checkpoint says."""
        newest = self._checkpoints() / f"{self.kept():06d}.json"
        return float(json.loads(newest.read_text())["seconds"])

    def log(self) -> str:
        """Of this attempt and those before."""
        return (self._folder / "log.txt").read_text()

    def end(self) -> None:
        """Leave nothing running, whatever the test found."""
        self._process.kill()
        self._process.wait()

    def _workers(self) -> list[psutil.Process]:
        """Those of this attempt, not what is left of one before."""
        found = []
        for process in self._head.processes():
            try:
                named = "".join(process.cmdline()[:1]).startswith("ray::Worker")
                if named and process.create_time() >= self._began:
                    found.append(process)
            except psutil.NoSuchProcess:
                continue
        return found

    def _checkpoints(self) -> Path:
        return self._folder / "checkpoints" / str(self.number)

    def _steps(self) -> list[int]:
        files = self._checkpoints().glob("*.json")
        return sorted(int(file.stem) for file in files if file.stem.isdigit())


def _kept(folder: Path) -> Path:
    """What was compiled before: `make test` keeps it from run to run, a test run by hand for itself."""
    return Path(os.environ.get("JAX_COMPILATION_CACHE_DIR", folder.parent / "compiled"))


def finish_despite(
    kills: list[Kill], folder: Path, head: RayHead, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Attempt after attempt until one ends by itself; AssertionError where a kill loses a step.

    They share what they compile, but with no other test: a kill may leave half a file.
    """
    compiled = folder.parent / "compiled-by-the-killed"
    shutil.copytree(_kept(folder), compiled)
    attempt = Attempt(folder, 0, head, parameters, compiled=compiled)
    try:
        for number, kill in enumerate(kills, 1):
            attempt.suffer(kill)
            print(f"kill {number}: {kill.victim} at step {attempt.kept()}", flush=True)
            if kill.victim == "worker":
                continue
            before = attempt
            attempt = Attempt(folder, before.number + 1, head, parameters, compiled=compiled)
            # What was under way is one slice of each search: its step may be shown, and is done again.
            assert before.shown() <= before.kept() + 1
            assert attempt.wait_for(0) == before.kept()
        return attempt.finish()
    finally:
        attempt.end()


def random_kills(count: int, steps: int, pace: float, seed: int) -> list[Kill]:
    """As many of each victim, in any order, at moments anywhere in a run of `steps` steps.

    pace: seconds per step. The last steps are left out: a run that is over cannot be killed.
    """
    random = Random(seed)
    victims: list[Victim] = [("driver", "worker", "head")[i % 3] for i in range(count)]
    random.shuffle(victims)
    moments = sorted(random.uniform(0, steps - 3) for _ in victims)
    return [
        Kill(victim, int(moment), moment % 1 * pace)
        for victim, moment in zip(victims, moments, strict=True)
    ]


def _without(names: set[str], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
