"""Watching one job: every hop as it happens, what it prints and the score so far."""

from __future__ import annotations

import threading
from datetime import datetime

from ml_platform.cli.output import duration_text, headline_text, say
from ml_platform.errors import MlPlatformError
from ml_platform.job import Phase
from ml_platform.sdk import Job
from ml_platform.service import models


class Watcher:
    """Says what is new in each view of a job. Times count from the submission."""

    def __init__(self, job: Job, *, with_log: bool) -> None:
        self._job = job
        self._with_log = with_log
        self._log: threading.Thread | None = None
        self._seen: set[tuple[str, datetime]] = set()
        self._reason: str | None = None
        self._headline = ""

    def changed(self, view: models.Job) -> None:
        """Say the hops, the reason to wait and the score that were not said before."""
        for hop in view.hops:
            if hop.at is not None and (hop.name, hop.at) not in self._seen:
                self._seen.add((hop.name, hop.at))
                since = (hop.at - view.submitted_at).total_seconds()
                detail = f": {hop.detail}" if hop.detail else ""
                say(f"{duration_text(max(0.0, since)):>7}  {hop.title}{detail}")
        if view.state.reason != self._reason and not view.state.final:
            self._reason = view.state.reason
            if self._reason:
                say(f"{'':7}  {view.state.phase.value}: {self._reason}")
        headline = headline_text(view.headline)
        if headline != self._headline:
            self._headline = headline
            say(f"{'':7}  {headline}")
        if self._with_log and self._log is None and view.state.phase is Phase.RUNNING:
            self._log = threading.Thread(target=self._follow, daemon=True)
            self._log.start()

    def finished(self) -> None:
        """Let the last of the log through."""
        if self._log is not None:
            self._log.join(timeout=5)

    def _follow(self) -> None:
        rest = ""
        try:
            for piece in self._job.follow_logs():
                *lines, rest = (rest + piece).split("\n")
                for line in lines:
                    say(f"{'':7}  | {line}")
        except MlPlatformError as error:
            say(f"{'':7}  the log stops here: {error}")


def watch(job: Job) -> None:
    """Stay until `job` has ended; raises JobFailed when it did not succeed."""
    watcher = Watcher(job, with_log=True)
    try:
        job.wait(check=True, on_change=watcher.changed)
    except KeyboardInterrupt:
        say(f"{job.id} goes on; stop it with `ml-platform cancel {job.id}`")
        raise
    finally:
        watcher.finished()
