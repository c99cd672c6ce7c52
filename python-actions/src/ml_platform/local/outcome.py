"""How the archive remembers a job that has ended on this machine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ml_platform.cluster.local import Record
from ml_platform.errors import InputError
from ml_platform.job import Phase
from ml_platform.local import run_records, status
from ml_platform.local.local_job import local_job
from ml_platform.state import Outcome


def outcome_of(record: Record) -> Outcome:
    """How an ended job is remembered."""
    times, metadata = record.status, record.rayjob["metadata"]
    succeeded = record.deployment == "Complete"
    return Outcome(
        phase=Phase.SUCCEEDED if succeeded else Phase.FAILED,
        cause=None if succeeded else str(times.get("message") or "unknown"),
        applied_at=_time(metadata.get("creationTimestamp")),
        admitted_at=_time(times.get("startTime")),
        started_at=_time(status.first_start(record.rayjob) or _newest_start(times)),
        ended_at=_time(times.get("endTime")),
        attempts=record.attempt + 1 if times.get("startTime") else 0,
        summary=_summary(record),
    )


def _newest_start(times: dict[str, Any]) -> str | None:
    start = (times.get("rayJobInfo") or {}).get("startTime")
    return str(start) if start else None


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _summary(record: Record) -> dict[str, Any] | None:
    try:
        return run_records.summary(local_job(record.rayjob).run_dir)
    except InputError:
        return None
