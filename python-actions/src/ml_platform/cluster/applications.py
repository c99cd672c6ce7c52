"""Argo CD's Applications of folders of jobs: watched, refreshed, and read for problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ml_platform.cluster import trimming
from ml_platform.cluster.api import KubernetesApi
from ml_platform.cluster.application import (
    REFRESH,
    folder_of,
    folder_problem,
    refresh_is_due,
    refused_objects,
)
from ml_platform.cluster.watch import Resource, Watch

Object = dict[str, Any]
APPLICATION_SET = "jobs"
_SET_REFRESH = "argocd.argoproj.io/application-set-refresh"


class Applications:
    """`changed(folder)` hears, in the watch's thread, of each change that matters here."""

    def __init__(self, api: KubernetesApi, namespace: str, changed: Callable[[str], None]) -> None:
        self._api = api
        self._base = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}"
        self._changed = changed
        self._of_folder: dict[str, Object] = {}
        applications = Resource("applications", f"{self._base}/applications", trimming.application)
        self.watch = Watch(api, applications, self._application)

    def start(self) -> None:
        self.watch.start()

    def stop(self) -> None:
        self.watch.stop()
        self._api.close()

    def of(self, folder: str) -> Object | None:
        return self._of_folder.get(folder)

    def refresh(self, folder: str) -> None:
        """Ask Argo CD to look at the newest commit; raises ClusterError.

        A request that still stands is taken back first, since only a change is noticed. Where the
        folder has no Application yet, the ApplicationSet is asked to make it.
        """
        application = self.of(folder)
        if application is None:
            path, annotation = f"applicationsets/{APPLICATION_SET}", {_SET_REFRESH: "true"}
        else:
            name = application["metadata"]["name"]
            path, annotation = f"applications/{name}", {REFRESH: "normal"}
            if refresh_is_due(application):
                nothing = {"metadata": {"annotations": {REFRESH: None}}}
                self._api.patch(f"{self._base}/{path}", nothing)
        self._api.patch(f"{self._base}/{path}", {"metadata": {"annotations": annotation}})

    def problems(self) -> dict[str, tuple[str, ...]]:
        """What holds up whole folders and single objects, in sentences, by team."""
        found: dict[str, tuple[str, ...]] = {}
        for folder, application in sorted(self._of_folder.copy().items()):
            _, team, *_ = folder.split("/")
            if problem := folder_problem(application):
                sentences: tuple[str, ...] = (problem,)
            else:
                sentences = tuple(
                    f"{folder}/{name}: the cluster refuses it: {why}"
                    for name, why in sorted(refused_objects(application).items())
                )
            if sentences:
                found[team] = found.get(team, ()) + sentences
        return found

    def _application(self, key: str, before: Object | None, now: Object | None) -> None:
        folder = folder_of(now or before)
        if now is None:
            self._of_folder.pop(folder, None)
        else:
            self._of_folder[folder] = now
        self._changed(folder)
