"""Ended jobs go to the archive with their outcome; asked for until it is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from ml_platform.errors import MlPlatformError, NotFoundError
from ml_platform.repository.git import PLATFORM, Author
from ml_platform.state import Outcome

log = logging.getLogger(__name__)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
OutcomeOf = Callable[[], Outcome]


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
        self._unreadable: set[str] = set()  # said once, asked again all the same

    def step(self, ended: Mapping[str, OutcomeOf]) -> None:
        """`ended`: all jobs of the active set that have ended, each with how to say how."""
        self._tries = {job_id: t for job_id, t in self._tries.items() if job_id in ended}
        for job_id, outcome_of in ended.items():
            last = self._tries.get(job_id)
            if last is None:
                self._ask(job_id, outcome_of, FIRST_PAUSE_SECONDS)
            elif last.due is not None and time.monotonic() >= last.due:
                self._ask(job_id, outcome_of, min(2 * last.pause, LONGEST_PAUSE_SECONDS))
            elif last.due is None and last.future.done() and (error := last.future.exception()):
                if isinstance(error, MlPlatformError) and not error.retryable:
                    last.pause = LONGEST_PAUSE_SECONDS  # until a person has mended what it names
                last.due = time.monotonic() + last.pause
                self._say(job_id, last.pause, error)

    def _say(self, job_id: str, pause: float, error: BaseException) -> None:
        if not isinstance(error, NotFoundError):
            log.error("%s could not be archived (again in %g s): %s", job_id, pause, error)
        elif job_id not in self._unreadable:
            self._unreadable.add(job_id)
            log.error(
                "%s: its manifest cannot be read as a job, so it stays where it is; "
                "mend the file or remove it",
                job_id,
            )

    def _ask(self, job_id: str, outcome_of: OutcomeOf, pause: float) -> None:
        future = self._archive.archive(job_id, outcome_of(), PLATFORM)
        self._tries[job_id] = _Try(future, pause)
        future.add_done_callback(lambda _: self._wake())
