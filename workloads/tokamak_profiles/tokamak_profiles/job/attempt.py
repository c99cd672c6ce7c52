"""One attempt of a job, as the environment variables of the workload contract describe it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokamak_profiles.job.parameters import Parameters


@dataclass(frozen=True)
class Attempt:
    """Where it writes, what it may use, what it was asked."""

    job_id: str
    number: int
    directory: str
    workers: int
    parameters: Parameters

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Attempt":
        """Read JOB_*; without them a standalone run in `./run`. Raises ValueError naming what is wrong."""
        return cls(
            job_id=environment.get("JOB_ID", "standalone"),
            number=_whole("JOB_ATTEMPT", environment.get("JOB_ATTEMPT", "0"), 0),
            directory=environment.get("JOB_DIR", Path("run").absolute().as_uri()),
            workers=_whole("JOB_WORKERS", environment.get("JOB_WORKERS", "2"), 1),
            parameters=Parameters.from_json(environment.get("JOB_PARAMETERS", "{}")),
        )


def _whole(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {text!r}")
    return int(text)
