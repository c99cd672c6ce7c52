"""What the job was asked to do, read from the environment variables of the workload contract."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Parameters:
    """The parameters of `workload.yaml`, which says what each of them means."""

    task: str = "optimise"
    problem: str = "geometrical"
    start: str = "coarse"
    modes: int = 3
    spectral_weight: float = 0.4
    seed: int = 0
    ellipse_periods: int = 3
    ellipse_aspect: float = 4.0
    ellipse_elongation: float = 2.2
    stage_solves: int = 0
    max_solves: int = 40
    scores: int = 2
    score_seconds: int = 300
    max_seconds: int = 900
    rows_from: str = "all"
    members: int = 5
    epochs: int = 300
    rounds: int = 2
    starts: int = 6
    start_solves: int = 30
    candidates: int = 100_000

    def describe(self) -> str:
        """For the log, in words."""
        return ", ".join(
            f"{field.name.replace('_', ' ')} {getattr(self, field.name)}" for field in fields(self)
        )

    @classmethod
    def from_json(cls, text: str) -> "Parameters":
        """Defaults overridden by the JSON object `text`; ValueError for what cannot be asked together."""
        given: dict[str, Any] = json.loads(text)
        unknown = given.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown parameters: {', '.join(sorted(unknown))}")
        parameters = cls(**given)
        if parameters.task == "loop" and parameters.problem != "geometrical":
            raise ValueError(
                f"problem must be geometrical for the task loop, got {parameters.problem}: its starts and its"
                " comparison are of P1; choose that problem, or the task optimise"
            )
        if parameters.task == "train" and parameters.problem == "all":
            raise ValueError(
                "problem must be a single one for the task train, got all: a surrogate predicts one problem's"
                " metrics; choose which"
            )
        return parameters


@dataclass(frozen=True)
class Job:
    """One attempt of a job: where it writes, what it may use, what it was asked."""

    job_id: str
    attempt: int
    directory: str
    workers: int
    score_python: Path
    parameters: Parameters

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Job":
        """Read JOB_*; without them a standalone run in `./run` that scores with ./environments."""
        environments = Path(environment.get("JOB_ENVIRONMENTS", "environments"))
        return cls(
            job_id=environment.get("JOB_ID", "standalone"),
            attempt=int(environment.get("JOB_ATTEMPT", "0")),
            directory=environment.get("JOB_DIR", Path("run").absolute().as_uri()),
            workers=int(environment.get("JOB_WORKERS", "2")),
            score_python=(environments / "score" / "bin" / "python").absolute(),
            parameters=Parameters.from_json(environment.get("JOB_PARAMETERS", "{}")),
        )
