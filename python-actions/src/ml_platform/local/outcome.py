"""How the archive remembers a job that has ended on this machine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ml_platform.cluster.local import Record
from ml_platform.errors import InputError
from ml_platform.job import Phase
from ml_platform.local import run_records
from ml_platform.local.local_job import local_job
from ml_platform.state import Outcome


def outcome_of(record: Record) -> Outcome:
    """How an ended job is remembered."""
    times = record.status
    succeeded = record.deployment == "Complete"
    return Outcome(
        phase=Phase.SUCCEEDED if succeeded else Phase.FAILED,
        cause=None if succeeded else str(times.get("message") or "unknown"),
        started_at=_time((times.get("rayJobInfo") or {}).get("startTime")),
        ended_at=_time(times.get("endTime")),
        attempts=record.attempt + 1 if times.get("startTime") else 0,
        summary=_summary(record),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _summary(record: Record) -> dict[str, Any] | None:
    try:
        return run_records.summary(local_job(record.rayjob).run_dir)
    except InputError:
        return None
