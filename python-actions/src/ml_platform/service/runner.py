"""What goes on in the background of the service: the local agent, and the headline figures of lists."""

from __future__ import annotations

import logging
import threading
from typing import Any

from ml_platform.job import Phase
from ml_platform.service.platform import Platform

log = logging.getLogger(__name__)
HEADLINE_SECONDS = 1.0


class Runner:
    """Started and stopped with the service. A thread that dies is seen by `healthy`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stop = threading.Event()
        self._headlines = threading.Thread(target=self._follow, name="headlines", daemon=True)

    def start(self) -> None:
        self._headlines.start()

    def stop(self) -> None:
        self._stop.set()
        self._headlines.join(timeout=10)

    def healthy(self) -> bool:
        return self._headlines.is_alive()

    def observe(self, job_id: str, rayjob: dict[str, Any] | None) -> None:
        """The agent's news of one object."""
        self._platform.journal.observe(job_id, rayjob)

    def _follow(self) -> None:
        """Keep the headline figure of running jobs; once more when a job has ended."""
        watched: set[str] = set()
        while not self._stop.wait(HEADLINE_SECONDS):
            rows = self._platform.journal.active()
            running = {row.job_id for row in rows if row.phase in (Phase.RUNNING, Phase.SUCCEEDED)}
            for job_id in running | watched:
                self._refresh(job_id)
            watched = running

    def _refresh(self, job_id: str) -> None:
        try:
            row = self._platform.journal.get(job_id)
            if (headline := self._platform.views.headline(row)) is not None:
                self._platform.journal.set_headline(job_id, headline)
        except Exception:  # one job's strange files must not end the thread for all
            log.exception("the headline of %s cannot be read", job_id)
