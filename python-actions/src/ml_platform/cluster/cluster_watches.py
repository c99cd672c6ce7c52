"""Everything that is watched of one cluster, and what belongs to one job among it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from ml_platform.cluster import trimming
from ml_platform.cluster.api import KubernetesApi
from ml_platform.cluster.capacity import capacity_of
from ml_platform.cluster.fields import condition, mapping, text
from ml_platform.cluster.interface import Capacity, Observed
from ml_platform.cluster.waiting import is_admitted
from ml_platform.cluster.watch import Resource, Watch
from ml_platform.render import JOB_ID, MANAGER

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name of a job
_OURS = f"app.kubernetes.io/managed-by={MANAGER}"
_KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
RAYJOBS = Resource("rayjobs", "/apis/ray.io/v1/rayjobs", trimming.rayjob, {"labelSelector": _OURS})
WORKLOADS = Resource("workloads", f"{_KUEUE}/workloads", trimming.workload)
QUEUES = Resource("clusterqueues", f"{_KUEUE}/clusterqueues", trimming.queue)
COHORTS = Resource("cohorts", f"{_KUEUE}/cohorts", trimming.queue)
PODS = Resource("pods", "/api/v1/pods", trimming.pod, {"labelSelector": _OURS})
EVENTS = Resource("events", "/api/v1/events", trimming.event, {"fieldSelector": "type=Warning"})


class ClusterWatches:
    """`changed(key)` hears of each job that something has changed about, from several threads."""

    def __init__(self, api: KubernetesApi, changed: Callable[[Key], None]) -> None:
        self.api = api
        self._changed = changed
        self._lock = threading.Lock()
        self._parts: dict[tuple[str, Key], set[str]] = defaultdict(set)
        self._rayjobs = Watch(api, RAYJOBS, self._rayjob)
        self._workloads = Watch(api, WORKLOADS, self._part_of("workloads", _owner))
        self._pods = Watch(api, PODS, self._part_of("pods", _job_of_pod))
        self._events = Watch(api, EVENTS, self._event)
        self._queues = Watch(api, QUEUES, self._queue)
        self._cohorts = Watch(api, COHORTS, lambda key, before, now: None)
        self.watches = (
            self._rayjobs,
            self._workloads,
            self._pods,
            self._events,
            self._queues,
            self._cohorts,
        )
        self._job_of_ray_cluster: dict[Key, Key] = {}
        self._ray_clusters_of: dict[Key, set[Key]] = defaultdict(set)
        self._warnings: dict[Key, set[str]] = defaultdict(set)

    def start(self) -> None:
        for watch in self.watches:
            watch.start()

    def stop(self) -> None:
        for watch in self.watches:
            watch.stop()
        self.api.close()

    def wait_until_listed(self, seconds: float) -> bool:
        """Whether jobs, Workloads and pods are known: without all three a job looks wrong."""
        return all(
            watch.listed.wait(seconds) for watch in (self._rayjobs, self._workloads, self._pods)
        )

    def rayjob(self, key: Key) -> Object | None:
        return self._rayjobs.get("/".join(key))

    def rayjobs(self) -> Iterator[tuple[Key, Object]]:
        for key, rayjob in self._rayjobs.items().items():
            namespace, _, name = key.partition("/")
            yield (namespace, name), rayjob

    def pods(self, key: Key) -> tuple[Object, ...]:
        """A job's pods, oldest first."""
        found = [self._pods.get(part) for part in self._parts_of("pods", key)]
        return tuple(sorted(filter(None, found), key=_age))

    def capacity(self, pool: str | None) -> Capacity | None:
        if not (self._queues.listed.is_set() and self._cohorts.listed.is_set()):
            return None
        return capacity_of(self._queues.items().values(), self._cohorts.items().values(), pool)

    def observed(self, key: Key) -> Observed | None:
        """What the cluster has of a job; None when its RayJob is not there."""
        rayjob = self.rayjob(key)
        if rayjob is None:
            return None
        found = [self._workloads.get(part) for part in self._parts_of("workloads", key)]
        # One that was made for an earlier object of the same name goes after the newest.
        workload = max(filter(None, found), key=_age, default=None)
        pods = self.pods(key)
        return Observed(
            rayjob=rayjob,
            workload=workload,
            queue=self._inactive_queue(workload),
            pods=pods,
            events=self._warnings_about(key, pods),
            cluster=self.api.name,
        )

    def _inactive_queue(self, workload: Object | None) -> Object | None:
        if workload is None or is_admitted(workload):
            return None
        queue = self._queues.get(f"/{text(workload, 'spec', 'queueName')}")
        active = condition(queue, "Active")
        if active.get("status") != "False":
            return None
        return {"status": {"conditions": [active]}}

    def _warnings_about(self, key: Key, pods: tuple[Object, ...]) -> tuple[Object, ...]:
        namespace, name = key
        names = {name, text(self.rayjob(key), "status", "rayClusterName")}
        names |= {text(pod, "metadata", "name") for pod in pods}
        with self._lock:
            parts = [part for n in names for part in self._warnings.get((namespace, n), ())]
        found = filter(None, map(self._events.get, parts))
        return tuple(sorted(found, key=lambda event: text(event, "lastTimestamp"))[-5:])

    # ── what a change concerns ──────────────────────────────────────────────────────────────────

    def _rayjob(self, key: str, before: Object | None, now: Object | None) -> None:
        namespace, _, name = key.partition("/")
        job, cluster = (namespace, name), (namespace, text(now, "status", "rayClusterName"))
        with self._lock:
            if cluster[1]:
                self._job_of_ray_cluster[cluster] = job
                self._ray_clusters_of[job].add(cluster)
            if now is None:
                for gone in self._ray_clusters_of.pop(job, ()):
                    self._job_of_ray_cluster.pop(gone, None)
        self._changed(job)

    def _part_of(
        self, kind: str, job_of: Callable[[Object], str]
    ) -> Callable[[str, Object | None, Object | None], None]:
        def changed(key: str, before: Object | None, now: Object | None) -> None:
            item = now or before or {}
            job = (text(item, "metadata", "namespace"), job_of(item))
            with self._lock:
                parts = self._parts[kind, job]
                (parts.discard if now is None else parts.add)(key)
                if not parts:
                    del self._parts[kind, job]
            self._changed(job)

        return changed

    def _parts_of(self, kind: str, job: Key) -> list[str]:
        with self._lock:
            return list(self._parts.get((kind, job), ()))

    def _event(self, key: str, before: Object | None, now: Object | None) -> None:
        item = now or before or {}
        about = (text(item, "metadata", "namespace"), text(item, "involvedObject", "name"))
        with self._lock:
            keys = self._warnings[about]
            (keys.discard if now is None else keys.add)(key)
            if not keys:
                del self._warnings[about]
            job = self._job_of_ray_cluster.get(about, about)
        self._changed(job)

    def _queue(self, key: str, before: Object | None, now: Object | None) -> None:
        if condition(before, "Active") == condition(now, "Active"):
            return
        name = key.removeprefix("/")
        for workload in self._workloads.items().values():
            if text(workload, "spec", "queueName") == name and not is_admitted(workload):
                self._changed((text(workload, "metadata", "namespace"), _owner(workload)))


def _owner(workload: Object) -> str:
    return text(workload, "metadata", "owner")


def _job_of_pod(pod: Object) -> str:
    return str(mapping(pod, "metadata", "labels").get(JOB_ID, ""))


def _age(item: Object) -> tuple[str, str]:
    return text(item, "metadata", "creationTimestamp"), text(item, "metadata", "name")
