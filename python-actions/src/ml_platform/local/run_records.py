"""What the launcher left in a run directory about the attempts of a job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPERSEDED = 75
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
        record = _read(file)
        if record.get("submission") == submission and file.parent.name.isdecimal():
            end = _read(file.with_name("exit.json"))
            found.append(Claim(int(file.parent.name), end.get("code"), end.get("cause")))
    return max(found, key=lambda claim: claim.number, default=None)


def summary(run_dir: Path) -> dict[str, Any] | None:
    """The job's headline figures, if it wrote any."""
    file = run_dir / "results" / "summary.json"
    try:
        if file.stat().st_size > SUMMARY_MAX_BYTES:
            return None
    except OSError:
        return None
    return _read(file) or None


def _read(file: Path) -> dict[str, Any]:
    """What a job wrote may be missing or broken; that says nothing and stops nothing."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
