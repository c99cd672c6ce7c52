"""After a commit, Argo CD is asked to look at it until it says that it has.

A single request may be swallowed: one set while a refresh runs is taken away with it, or stays
without being done (Argo CD writes an older copy of the Application over the one in its cache), and
the commit that mends a file which could not be read is not synced by its own refresh. Polling alone
would take minutes.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import Histogram

from ml_platform.cluster.application import (
    is_operating,
    is_synced,
    operation_revision,
    refresh_is_due,
    revision_of,
)
from ml_platform.cluster.applications import Applications
from ml_platform.errors import ClusterError

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
LEAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 0.5, 30.0
STUCK_SECONDS = 3.0  # a request that stands for so long is made anew
LONG_SECONDS = 15.0
refresh_seconds = Histogram(
    "ml_platform_refresh_seconds", "From a commit to Argo CD's word that it has applied it"
)


class Repository(Protocol):
    """The GitOps repository, as far as it is read here."""

    def head(self) -> str: ...

    def changed_folders(self, since: str | None, until: str) -> set[str]: ...

    def contains(self, commit: str, ancestor: str) -> bool: ...

    def oid(self, commit: str, path: str) -> str | None: ...


@dataclass
class _Folder:
    """Commits of one folder that Argo CD has not reported, oldest first, with their times."""

    commits: list[tuple[str, float]]
    due: float
    pause: float = FIRST_PAUSE_SECONDS
    asked: float = -LEAST_PAUSE_SECONDS
    told: bool = False
    judged: Any = None  # the Application and newest commit that were last compared


class Refresher:
    """One thread for all folders; `wake` makes it look at once."""

    def __init__(
        self,
        repository: Repository,
        applications: Applications,
        on_news: Callable[[str], None],
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_ask = may_ask  # whether this replica of the service is the one that does
        self._repository = repository
        self._applications = applications
        self._on_news = on_news
        self._head: str | None = None
        self._waiting: dict[str, _Folder] = {}
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=10)

    def wake(self) -> None:
        self._woken.set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._take_news()
                pause = self._ask()
            except Exception:  # a repository on a full disk; each turn starts afresh
                log.exception("a turn of the refresher failed; the next follows")
                pause = LOOK_SECONDS
            self._woken.wait(pause)
            self._woken.clear()

    def _take_news(self) -> None:
        head, now = self._repository.head(), time.monotonic()
        if head == self._head:
            return
        for name in self._repository.changed_folders(self._head, head):
            known = self._waiting.setdefault(name, _Folder([], now))
            known.commits.append((head, now))
            known.due = max(now, known.asked + LEAST_PAUSE_SECONDS)
            known.pause = FIRST_PAUSE_SECONDS
            self._on_news(name)
        for name in [name for name in self._waiting if self._repository.oid(head, name) is None]:
            del self._waiting[name]  # the folder is gone, and its Application with it
        self._head = head

    def _ask(self) -> float:
        """One round over all folders that are waited for; gives the seconds until the next."""
        for name, waiting in list(self._waiting.items()):
            self._drop_reported(name, waiting)
            if not waiting.commits:
                del self._waiting[name]
            elif time.monotonic() >= waiting.due:
                self._refresh(name, waiting)
        now = time.monotonic()
        waits = [waiting.due - now for waiting in self._waiting.values()]
        return max(0.05, min([LOOK_SECONDS, *waits]))

    def _drop_reported(self, name: str, waiting: _Folder) -> None:
        application = self._applications.of(name)
        asked = (application, waiting.commits[-1][0])
        if asked == waiting.judged:
            return  # while Argo CD is away, thousands of commits may wait
        waiting.judged = asked
        # A commit that is reported is so with all before it.
        reported = bisect_left(
            waiting.commits, True, key=lambda one: not self._is_reported(application, one[0])
        )
        now = time.monotonic()
        for _, since in waiting.commits[:reported]:
            refresh_seconds.observe(now - since)
        del waiting.commits[:reported]

    def _is_reported(self, application: Any, commit: str) -> bool:
        """Argo CD has compared this commit or a later one, and applied it or begun to: from there
        on it tries by itself until each object is there."""
        if not self._reached(revision_of(application), commit):
            return False
        return is_synced(application) or self._reached(operation_revision(application), commit)

    def _follows(self, application: Any, waiting: _Folder) -> bool:
        """Argo CD has compared the newest commit and applies it after what it is applying now.
        Asking again would only have it compare again, which delays others when many jobs come."""
        newest, _ = waiting.commits[-1]
        return is_operating(application) and self._reached(revision_of(application), newest)

    def _reached(self, revision: str, commit: str) -> bool:
        return revision == commit or self._repository.contains(revision, commit)

    def _refresh(self, name: str, waiting: _Folder) -> None:
        application, now = self._applications.of(name), time.monotonic()
        commit, since = waiting.commits[0]
        if now - since > LONG_SECONDS and not waiting.told:
            waiting.told = True
            log.warning("%s of %s is not applied after %.0f s", commit[:10], name, now - since)
        waits = application is not None and refresh_is_due(application)
        if self._may_ask() and not (
            (waits and now - waiting.asked < STUCK_SECONDS) or self._follows(application, waiting)
        ):
            waiting.asked = now
            try:
                self._applications.refresh(name)
            except ClusterError as error:
                log.warning("no refresh of %s (again in %.1f s): %s", name, waiting.pause, error)
        waiting.due = now + waiting.pause
        waiting.pause = min(waiting.pause * 1.5, LONGEST_PAUSE_SECONDS)
