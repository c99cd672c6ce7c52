"""Jobs on real clusters: watched everywhere, put together per job, and told to the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ml_platform.cluster.api import KubernetesApi, Stream
from ml_platform.cluster.applications import Applications
from ml_platform.cluster.cluster_watches import ClusterWatches, Key
from ml_platform.cluster.fields import text
from ml_platform.cluster.gathering import Gatherer, Journal
from ml_platform.cluster.interface import Capacity
from ml_platform.cluster.pod_logs import container_of, pod_of
from ml_platform.cluster.watch import Watch
from ml_platform.errors import ClusterError, NotFoundError
from ml_platform.settings import ArgoCd, WorkloadCluster

Object = dict[str, Any]
LONG_DOWN_SECONDS = 60.0
LOG_SILENCE_SECONDS = 3600.0


class KubernetesCluster:
    """All workload clusters together, and the Argo CD that applies to them."""

    def __init__(
        self, clusters: Sequence[WorkloadCluster], argocd: ArgoCd, journal: Journal
    ) -> None:
        self._clusters = [
            ClusterWatches(KubernetesApi(cluster, cluster.name), self._job_changed)
            for cluster in clusters
        ]
        self.applications = Applications(
            KubernetesApi(argocd, "argocd"), argocd.namespace, self._application_changed
        )
        self._gatherer = Gatherer(self._clusters, self.applications, journal)
        self.on_application: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.applications.start()
        for cluster in self._clusters:
            cluster.start()
        self._gatherer.start()

    def stop(self) -> None:
        self._gatherer.stop()
        for cluster in self._clusters:
            cluster.stop()
        self.applications.stop()

    def folder_changed(self, folder: str) -> None:
        """Jobs were committed to it."""
        self._gatherer.folder_changed(folder)

    def _application_changed(self, folder: str) -> None:
        self._gatherer.folder_changed(folder)
        self.on_application()

    def _job_changed(self, key: Key) -> None:
        self._gatherer.job_changed(key)

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
        if not self._gatherer.alive:
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
