"""What the launcher left in a run directory about the attempts of a job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_platform.rundir import RunDirectory, read_object

SUPERSEDED = 75
RECORD_MAX_BYTES = 64 * 1024
SUMMARY_MAX_BYTES = 64 * 1024  # it travels in an annotation of the archived manifest


@dataclass(frozen=True)
class Claim:
    """A claimed attempt; `cause` is None while nothing says how it ended."""

    number: int
    code: int | None
    cause: str | None


def claim_of(run_dir: Path, submission: str) -> Claim | None:
    """The newest claim that a submission made; None when its launcher never came that far."""
    found: list[Claim] = []
    for file in run_dir.glob("attempts/*/claim.json"):
        record = read_object(file, RECORD_MAX_BYTES) or {}
        if record.get("submission") == submission and file.parent.name.isdecimal():
            end = read_object(file.with_name("exit.json"), RECORD_MAX_BYTES) or {}
            code, cause = end.get("code"), end.get("cause")
            found.append(
                Claim(
                    int(file.parent.name),
                    code if isinstance(code, int) else None,
                    cause if isinstance(cause, str) else None,
                )
            )
    return max(found, key=lambda claim: claim.number, default=None)


def summary(run_dir: Path) -> dict[str, Any] | None:
    """The job's headline figures, if it wrote any."""
    return RunDirectory(run_dir).summary(SUMMARY_MAX_BYTES) or None
