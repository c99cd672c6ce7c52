"""Jobs on clusters: watches, refreshes of Argo CD, and the archive."""

from __future__ import annotations

import logging
import threading
from functools import partial

from ml_platform.cluster.fields import text
from ml_platform.cluster.kubernetes import KubernetesCluster
from ml_platform.cluster.refreshing import Refresher
from ml_platform.job import Phase
from ml_platform.journal_row import Row
from ml_platform.local import run_records
from ml_platform.repository.archiving import Archiving
from ml_platform.rundir import RunDirectory
from ml_platform.service.platform import Platform
from ml_platform.state import Outcome

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
_ENDED = (Phase.SUCCEEDED, Phase.FAILED)


class OnClusters:
    """Started and stopped with the service."""

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self._platform = platform
        self._cluster = KubernetesCluster(settings.clusters, settings.argocd, platform.journal)
        self._refresher = Refresher(
            platform.repository,
            self._cluster.applications,
            self._cluster.folder_changed,
            platform.leader.held,
        )
        self._cluster.on_application = self._refresher.wake
        platform.cluster = self._cluster
        platform.on_push = self._pushed
        self._archiving = Archiving(platform.committer, self._pushed)
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._archive, name="archiver", daemon=True)

    def start(self) -> None:
        self._cluster.start()
        self._refresher.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=10)
        self._refresher.stop()
        self._cluster.stop()

    def problem(self) -> str | None:
        if not (self._thread.is_alive() and self._refresher.alive):
            return "the archiving of ended jobs, or the refreshing of Argo CD, has stopped"
        return self._cluster.problem()

    def _pushed(self) -> None:
        self._refresher.wake()
        self._woken.set()

    def _archive(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._platform.leader.held():
                    rows = self._platform.journal.standing(_ENDED)
                    self._archiving.step({row.job_id: partial(self._outcome, row) for row in rows})
            except Exception:  # a full disk ends one turn, not the thread
                log.exception("ended jobs could not be archived; the next try follows")
            self._woken.wait(LOOK_SECONDS)
            self._woken.clear()

    def _outcome(self, row: Row) -> Outcome:
        return outcome_of(row, self._platform.views.run_directory(row))


def outcome_of(row: Row, run: RunDirectory) -> Outcome:
    """How the archive remembers a job that has ended on a cluster."""
    return Outcome(
        phase=row.phase,
        cause=_cause(row, run) if row.phase is Phase.FAILED else None,
        applied_at=row.moment("applied"),
        admitted_at=row.moment("admitted"),
        started_at=row.moment("running"),
        ended_at=row.moment("ended"),
        attempts=row.attempt + 1 if "admitted" in row.hops else 0,
        summary=run_records.summary(run.path),
    )


def _cause(row: Row, run: RunDirectory) -> str:
    """Of a program that failed by itself the launcher's record, where it is at hand, says more
    than KubeRay does."""
    if text(row.observed.rayjob, "status", "reason") == "AppFailed":
        claim = run_records.newest_claim(run.path)
        if claim is not None and claim.cause and claim.cause != run_records.DONE:
            return claim.cause
    return row.reason or "unknown"
