"""What the launcher left in a run directory about the attempts of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ml_platform.rundir import RunDirectory, read_object

SUPERSEDED = 75
DONE = "exit code 0"  # the launcher's cause, where nobody stopped the program
RECORD_MAX_BYTES = 64 * 1024
MOST_ATTEMPTS = 1000  # to be read: a job may have written as many records as it likes
SUMMARY_MAX_BYTES = 64 * 1024  # it travels in an annotation of the archived manifest


@dataclass(frozen=True)
class Claim:
    """A claimed attempt; `cause` is None while nothing says how it ended."""

    number: int
    code: int | None
    cause: str | None

    @property
    def done(self) -> bool:
        """Whether its program came to its own end, and so finished the job."""
        return self.code == 0 and self.cause == DONE


def claim_of(run_dir: Path, submission: str) -> Claim | None:
    """The newest claim that a submission made; None when its launcher never came that far."""
    found = [
        _claim(file)
        for file, record in _claims(run_dir).items()
        if record.get("submission") == submission
    ]
    return max(found, key=lambda claim: claim.number, default=None)


def newest_claim(run_dir: Path) -> Claim | None:
    """The claim with the highest number, whoever made it."""
    return max(map(_claim, _claims(run_dir)), key=lambda claim: claim.number, default=None)


def earlier_claims(run_dir: Path) -> list[Claim]:
    """All claims but the newest, in order."""
    return sorted(map(_claim, _claims(run_dir)), key=lambda claim: claim.number)[:-1]


def attempt_times(run_dir: Path) -> list[tuple[datetime, datetime | None]]:
    """When each attempt was claimed, and ended where its launcher recorded that: in order, up to the
    first number that is missing."""
    found: list[tuple[datetime, datetime | None]] = []
    for number in range(MOST_ATTEMPTS):
        folder = run_dir / "attempts" / str(number)
        claim = read_object(folder / "claim.json", RECORD_MAX_BYTES)
        begun = _time(claim or {}, "time")
        if begun is None:
            break
        end = read_object(folder / "exit.json", RECORD_MAX_BYTES) or {}
        found.append((begun, _time(end, "ended")))
    return found


def _time(record: Mapping[str, Any], name: str) -> datetime | None:
    """Of a record that a job may have spoilt: a moment with a time zone, or none."""
    try:
        moment = datetime.fromisoformat(str(record[name]))
    except (KeyError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def _claims(run_dir: Path) -> dict[Path, dict[str, Any]]:
    return {
        file: read_object(file, RECORD_MAX_BYTES) or {}
        for file in run_dir.glob("attempts/*/claim.json")
        if file.parent.name.isdecimal()
    }


def _claim(file: Path) -> Claim:
    end = read_object(file.with_name("exit.json"), RECORD_MAX_BYTES) or {}
    code, cause = end.get("code"), end.get("cause")
    return Claim(
        int(file.parent.name),
        code if isinstance(code, int) else None,
        cause if isinstance(cause, str) else None,
    )


def summary(run_dir: Path) -> dict[str, Any] | None:
    """The job's headline figures, if it wrote any."""
    return RunDirectory(run_dir).summary(SUMMARY_MAX_BYTES) or None
