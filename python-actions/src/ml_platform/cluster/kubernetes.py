"""Jobs on real clusters: watched everywhere, put together per job, and told to the journal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from prometheus_client import Histogram

from ml_platform.cluster.api import KubernetesApi, Stream
from ml_platform.cluster.application import missing
from ml_platform.cluster.applications import Applications
from ml_platform.cluster.cluster_watches import ClusterWatches, Key
from ml_platform.cluster.fields import entries, text
from ml_platform.cluster.interface import Capacity, Observed
from ml_platform.cluster.pod_logs import container_of, pod_of
from ml_platform.cluster.trimming import application_of_job
from ml_platform.cluster.watch import Watch
from ml_platform.errors import ClusterError, InputError, NotFoundError
from ml_platform.journal_row import Row
from ml_platform.settings import ArgoCd, WorkloadCluster

log = logging.getLogger(__name__)
Object = dict[str, Any]
FIRST_LIST_SECONDS = 30.0
TOGETHER_SECONDS = 0.05  # changes that come together are told together
MOST_TOGETHER = 500
AGAIN_SECONDS = 1.0
UNKNOWN_SECONDS = 60.0  # how long an object may be ahead of the journal, which reads Git by itself
LONG_DOWN_SECONDS = 60.0
LOG_SILENCE_SECONDS = 3600.0
watch_lag = Histogram(
    "ml_platform_watch_lag_seconds", "From the arrival of a change to the journal"
)


class Journal(Protocol):
    """The journal, as far as it is used here."""

    def observe_all(self, found: Mapping[str, Observed]) -> set[str]: ...

    def not_applied(self, folder: str) -> list[Row]: ...

    def active(self) -> list[Row]: ...

    def get(self, job_id: str) -> Row: ...


class KubernetesCluster:
    """All workload clusters together, and the Argo CD that applies to them."""

    def __init__(
        self, clusters: Sequence[WorkloadCluster], argocd: ArgoCd, journal: Journal
    ) -> None:
        self._journal = journal
        self._clusters = [
            ClusterWatches(KubernetesApi(cluster, cluster.name), self._changed)
            for cluster in clusters
        ]
        self.applications = Applications(
            KubernetesApi(argocd, "argocd"), argocd.namespace, self._application_changed
        )
        self.on_application: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._jobs: dict[Key, float] = {}  # with the time of the first change not yet told
        self._folders: set[str] = set()
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster-gatherer", daemon=True)

    def start(self) -> None:
        self.applications.start()
        for cluster in self._clusters:
            cluster.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=10)
        for cluster in self._clusters:
            cluster.stop()
        self.applications.stop()

    # ── the interface of clusters ───────────────────────────────────────────────────────────────

    def objects(self) -> Mapping[str, Object]:
        return {
            name: rayjob for cluster in self._clusters for (_, name), rayjob in cluster.rayjobs()
        }

    def capacity(self, pool: str | None = None) -> Capacity | None:
        found = [c for c in (cluster.capacity(pool) for cluster in self._clusters) if c]
        if not found:
            return None
        total, free = found[0].total, found[0].free
        for more in found[1:]:
            total, free = total + more.total, free + more.free
        return Capacity(total, free)

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        return self.applications.problems()

    def pod_log(
        self, team: str, job_id: str, source: str, *, tail: int | None, follow: bool
    ) -> Stream:
        cluster = self._cluster_of((team, job_id))
        pod = pod_of(cluster.pods((team, job_id)), job_id, source)
        query: dict[str, str | int] = {"container": container_of(pod)}
        query |= {"follow": "true"} if follow else {}
        query |= {} if tail is None else {"tailLines": tail}
        path = f"/api/v1/namespaces/{team}/pods/{text(pod, 'metadata', 'name')}/log"
        try:
            return cluster.api.stream(path, silence=LOG_SILENCE_SECONDS, **query)
        except ClusterError as error:
            if error.status in (400, 404):  # its container has not begun, or it has just gone
                raise NotFoundError(f"the {source} pod of {job_id} has no log: {error}") from error
            raise

    def scale(self, team: str, job_id: str, workers: int) -> None:
        cluster = self._cluster_of((team, job_id))
        rayjob = cluster.rayjob((team, job_id))
        name = text(rayjob, "status", "rayClusterName")
        if not name:
            raise InputError(f"{job_id} has no Ray cluster now", hint="wait until it runs")
        path = f"/apis/ray.io/v1/namespaces/{team}/rayclusters/{name}"
        groups = entries(cluster.api.get(path), "spec", "workerGroupSpecs")
        least, most = _bounds(groups)
        if not least <= workers <= most:
            allowed = f"{most}" if least == most else f"{least} to {most}"
            raise InputError(
                f"{job_id} was committed for {allowed} workers, which is what its quota is for",
                field="workers",
                hint="cancel it, and submit it with another number of workers and `resume_from`",
            )
        change = {"op": "replace", "path": "/spec/workerGroupSpecs/0/replicas", "value": workers}
        cluster.api.patch(path, [change])

    def _cluster_of(self, key: Key) -> ClusterWatches:
        for cluster in self._clusters:
            if cluster.rayjob(key) is not None or cluster.pods(key):
                return cluster
        raise NotFoundError(
            f"{key[1]} is in no cluster: not applied yet, or gone with its end",
            hint="the log's source `job` has what it wrote",
        )

    # ── how the watches are ─────────────────────────────────────────────────────────────────────

    def problem(self) -> str | None:
        """What keeps the service from seeing jobs, in a sentence."""
        if not self._thread.is_alive():
            return "the gathering of jobs' objects has stopped"
        for watch, name in self._watches():
            if (seconds := watch.down_seconds()) > LONG_DOWN_SECONDS:
                return (
                    f"{watch.resource.name} of {name} have not been heard of for {seconds:.0f} s: "
                    f"{watch.error}"
                )
        return None

    def _watches(self) -> list[tuple[Watch, str]]:
        found = [(watch, c.api.name) for c in self._clusters for watch in c.watches]
        return [*found, (self.applications.watch, "argocd")]

    # ── from the watches to the journal ─────────────────────────────────────────────────────────

    def _application_changed(self, folder: str) -> None:
        self.folder_changed(folder)
        self.on_application()

    def folder_changed(self, folder: str) -> None:
        """Its Application has something new to say, or jobs were committed to it."""
        with self._lock:
            self._folders.add(folder)
        self._woken.set()

    def _changed(self, key: Key) -> None:
        with self._lock:
            self._jobs.setdefault(key, time.monotonic())
        self._woken.set()

    def _run(self) -> None:
        for cluster in self._clusters:
            if not cluster.wait_until_listed(FIRST_LIST_SECONDS):
                log.warning("%s has not been listed; its jobs show what is known", cluster.api.name)
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
                self._changed((row.team, row.job_id))

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
        application = self.applications.of(folder)
        if application is not None:
            return application_of_job(application)
        return missing(folder) if self.applications.watch.listed.is_set() else None


def _bounds(groups: list[Object]) -> tuple[int, int]:
    group = groups[0] if groups else {}
    return int(group.get("minReplicas", 0)), int(group.get("maxReplicas", 0))
