"""From what is watched to the journal: changes that come together are told together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from prometheus_client import Histogram

from ml_platform.cluster.application import missing
from ml_platform.cluster.applications import Applications
from ml_platform.cluster.cluster_watches import ClusterWatches, Key
from ml_platform.cluster.interface import Observed
from ml_platform.cluster.trimming import application_of_job
from ml_platform.errors import NotFoundError
from ml_platform.journal_row import Row

log = logging.getLogger(__name__)
Object = dict[str, Any]
FIRST_LIST_SECONDS = 30.0
TOGETHER_SECONDS = 0.05
MOST_TOGETHER = 500
AGAIN_SECONDS = 1.0
UNKNOWN_SECONDS = 60.0  # how long an object may be ahead of the journal, which reads Git by itself
watch_lag = Histogram(
    "ml_platform_watch_lag_seconds", "From the arrival of a change to the journal"
)


class Journal(Protocol):
    """The journal, as far as it is used here."""

    def observe_all(self, found: Mapping[str, Observed]) -> set[str]: ...

    def not_applied(self, folder: str) -> list[Row]: ...

    def active(self) -> list[Row]: ...

    def get(self, job_id: str) -> Row: ...


class Gatherer:
    """One thread that puts together what all clusters have of a job, and tells the journal."""

    def __init__(
        self, clusters: Sequence[ClusterWatches], applications: Applications, journal: Journal
    ) -> None:
        self._clusters = clusters
        self._applications = applications
        self._journal = journal
        self._lock = threading.Lock()
        self._jobs: dict[Key, float] = {}  # with the time of the first change not yet told
        self._folders: set[str] = set()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster-gatherer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def folder_changed(self, folder: str) -> None:
        """Its Application has something new to say, or jobs were committed to it."""
        with self._lock:
            self._folders.add(folder)
        self._woken.set()

    def job_changed(self, key: Key) -> None:
        with self._lock:
            self._jobs.setdefault(key, time.monotonic())
        self._woken.set()

    def _run(self) -> None:
        for cluster in self._clusters:
            if not cluster.wait_until_listed(FIRST_LIST_SECONDS):
                log.warning("%s has not been listed; its jobs show what is known", cluster.api.name)
        # Where a folder has no Application, no change of one will come to tell it.
        if not self._applications.watch.listed.wait(FIRST_LIST_SECONDS):
            log.warning("Argo CD's Applications have not been listed; jobs do not show theirs")
        self._look_for_all()
        while not self._stopped.is_set():
            try:
                self._turn()
            except Exception:  # a full disk ends one turn, not the thread
                log.exception("changes of jobs could not be taken over; the next try follows")
                self._stopped.wait(AGAIN_SECONDS)
            self._woken.wait(AGAIN_SECONDS)
            self._stopped.wait(TOGETHER_SECONDS)
            self._woken.clear()

    def _look_for_all(self) -> None:
        """Jobs whose objects went while nobody watched give no sign of it."""
        for row in self._journal.active():
            if row.observed.rayjob is not None:
                self.job_changed((row.team, row.job_id))

    def _turn(self) -> None:
        """Tell the journal everything that has changed; what it cannot take yet stays."""
        early: dict[Key, float] = {}
        while True:
            with self._lock:
                jobs = dict(list(self._jobs.items())[:MOST_TOGETHER])
                for key in jobs:
                    del self._jobs[key]
                folders, self._folders = self._folders, set()
            if not jobs and not folders:
                break
            try:
                unknown = self._tell(list(jobs), folders)
            except Exception:
                self._put_back(jobs | early, folders)
                raise
            now = time.monotonic()
            for key, since in jobs.items():
                if key[1] not in unknown:
                    watch_lag.observe(now - since)
                elif now - since < UNKNOWN_SECONDS:
                    early[key] = since
        self._put_back(early, set())

    def _put_back(self, jobs: dict[Key, float], folders: set[str]) -> None:
        with self._lock:
            self._jobs = {**self._jobs, **jobs}
            self._folders |= folders

    def _tell(self, jobs: list[Key], folders: set[str]) -> set[str]:
        found = {key[1]: seen for key in jobs if (seen := self._observed(key)) is not None}
        for folder in folders:
            waits = Observed(application=self._application(folder))
            for row in self._journal.not_applied(folder):
                if (seen := self._there((row.team, row.job_id))) is not None:
                    found[row.job_id] = seen
                elif self._is_gone((row.team, row.job_id)):
                    found.setdefault(row.job_id, waits)
        return self._journal.observe_all(found)

    def _there(self, key: Key) -> Observed | None:
        for cluster in self._clusters:
            if (observed := cluster.observed(key)) is not None:
                return observed
        return None

    def _observed(self, key: Key) -> Observed | None:
        there = self._there(key)
        return self._gone(key) if there is None else there

    def _gone(self, key: Key) -> Observed | None:
        """Of an object that was there: pruned, or deleted by hand. None: nothing to tell."""
        try:
            row = self._journal.get(key[1])
        except NotFoundError:
            return None
        if row.team != key[0] or row.observed.rayjob is None or not self._is_gone(key):
            return None
        return Observed(application=self._application(row.path.rpartition("/")[0]))

    def _is_gone(self, key: Key) -> bool:
        """Whether it is certain that no cluster has the object."""
        return all(c.wait_until_listed(0) and c.rayjob(key) is None for c in self._clusters)

    def _application(self, folder: str) -> Object | None:
        application = self._applications.of(folder)
        if application is not None:
            return application_of_job(application)
        return missing(folder) if self._applications.watch.listed.is_set() else None
