"""Ended jobs go to the archive with their outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ml_platform.cluster.local import Record
from ml_platform.errors import InputError, MlPlatformError
from ml_platform.job import Phase
from ml_platform.local import run_records
from ml_platform.local.local_job import local_job
from ml_platform.repository.git import PLATFORM, Author
from ml_platform.state import Outcome

log = logging.getLogger(__name__)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Archive(Protocol):
    """The committer, as far as it is used here."""

    def archive(self, job_id: str, outcome: Outcome, author: Author) -> Future[Any]: ...


@dataclass
class _Try:
    future: Future[Any]
    pause: float
    due: float | None = None  # when to ask again, once it has failed


class Archiving:
    """Asks until it is done: a job that is in the archive has left the active set."""

    def __init__(self, archive: Archive, wake: Callable[[], None]) -> None:
        self._archive = archive
        self._wake = wake
        self._tries: dict[str, _Try] = {}

    def step(self, ended: Iterable[Record]) -> None:
        records = {record.job_id: record for record in ended}
        self._tries = {job_id: t for job_id, t in self._tries.items() if job_id in records}
        for job_id, record in records.items():
            last = self._tries.get(job_id)
            if last is None:
                self._ask(record, FIRST_PAUSE_SECONDS)
            elif last.due is not None and time.monotonic() >= last.due:
                self._ask(record, min(2 * last.pause, LONGEST_PAUSE_SECONDS))
            elif last.due is None and last.future.done() and (error := last.future.exception()):
                if isinstance(error, MlPlatformError) and not error.retryable:
                    last.pause = LONGEST_PAUSE_SECONDS  # until a person has mended what it names
                last.due = time.monotonic() + last.pause
                log.error("%s could not be archived (again in %g s): %s", job_id, last.pause, error)

    def _ask(self, record: Record, pause: float) -> None:
        future = self._archive.archive(record.job_id, outcome_of(record), PLATFORM)
        self._tries[record.job_id] = _Try(future, pause)
        future.add_done_callback(lambda _: self._wake())


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
