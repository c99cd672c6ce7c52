"""A test cluster for a benchmark, and what happens on it, with times."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil
from kubernetes import client, watch
from kubernetes.client import ApiException
from testbed.attach import is_up, running_layout
from testbed.cluster import Cluster
from testbed.layout import Layout, cache_folder
from testbed.start import Start
from testbed.stop import stop
from testbed.waiting import TestbedError, wait_until
from urllib3.exceptions import HTTPError

from ml_platform.cluster.api_client import api_client
from ml_platform.settings import ClusterAccess

QUEUES = "kueue.x-k8s.io/v1beta2"
NEXT_TO_NOTHING = 0.1  # CPU seconds
Object = dict[str, Any]


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def any_cluster() -> Iterator[Cluster]:
    """The test cluster that is up, or one for this run alone."""
    layout = running_layout(say)
    if is_up(layout):
        yield Cluster.of(layout)
        return
    with _started(layout) as cluster:
        yield cluster


@contextmanager
def cluster_of_fake_nodes() -> Iterator[Cluster]:
    """A cluster for this run alone whose pods are all played by kwok."""
    if is_up(running_layout(say)):
        raise TestbedError(
            "this needs a cluster of its own: end the other with `make cluster-down`"
        )
    with _started(Layout(cache_folder() / "cluster", real_pods=False)) as cluster:
        yield cluster


@contextmanager
def _started(layout: Layout) -> Iterator[Cluster]:
    try:
        yield Start(layout, say).run()
    finally:
        stop(layout, say)


class Seen:
    """When a watch first showed each object that `wanted` says yes to, by name of its job."""

    def __init__(
        self,
        cluster: Cluster,
        group: tuple[str, str, str],
        wanted: Callable[[Object], str | None],
        namespace: str | None = None,
    ) -> None:
        """`group`: API group, version and plural. `wanted`: the name to note, or None."""
        self.at: dict[str, float] = {}
        self._group, self._wanted, self._namespace = group, wanted, namespace
        access = ClusterAccess(kubeconfig=cluster.kubeconfig)
        self._api = client.CustomObjectsApi(api_client(access))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Seen:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def wait(self, names: Collection[str] | Mapping[str, float], seconds: float) -> None:
        """Until all of them have been seen."""
        wanted = set(names)
        wait_until(
            lambda: wanted <= self.at.keys(),
            f"{len(wanted)} {self._group[2]} are there",
            seconds,
            pause=0.2,
            explain=lambda: f"{len(wanted - self.at.keys())} are missing",
        )

    def wait_count(self, count: int, seconds: float) -> None:
        """Until so many have been seen."""
        wait_until(
            lambda: len(self.at) >= count,
            f"{count} {self._group[2]} are there",
            seconds,
            pause=0.2,
            explain=lambda: f"{len(self.at)} are",
        )

    def _follow(self) -> None:
        if self._namespace:
            listing, where = self._api.list_namespaced_custom_object, [self._namespace]
        else:
            listing, where = self._api.list_cluster_custom_object, []
        group, version, plural = self._group
        arguments = [group, version, *where, plural]
        while not self._stopped.is_set():
            try:
                for event in watch.Watch().stream(listing, *arguments, timeout_seconds=300):
                    name = self._wanted(event["object"])
                    if name is not None:
                        self.at.setdefault(name, time.time())
            except (ApiException, HTTPError) as error:  # a busy API server; the next one lists anew
                say(f"the watch of {plural} broke, {type(error).__name__}; another begins")
                self._stopped.wait(0.5)


def name_of(document: Object) -> str:
    return str(document["metadata"]["name"])


def cpu_seconds(cluster: Cluster) -> dict[str, float]:
    """What each process of the control plane has used, user and system, with its children's; nothing
    of a cluster that was given."""
    found = {}
    for name, component in cluster.components.items():
        if component.pid is not None:
            times = psutil.Process(component.pid).cpu_times()
            found[name.replace("-", "_")] = sum(times[:4])
    return found


def since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was used since, without what used next to nothing."""
    spent = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    return {name: seconds for name, seconds in spent.items() if seconds >= NEXT_TO_NOTHING}
