"""The running test cluster, as tests use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.component import Component, Program
from testbed.fake_nodes import fake_node
from testbed.gitops_repository import GitopsRepository
from testbed.kubeconfigs import token_request, write_kubeconfig
from testbed.layout import Layout
from testbed.objects import ApiError, Objects
from testbed.waiting import TestbedError, wait_until

_APPLICATION = "argoproj.io/v1alpha1"
_KUEUE = "kueue.x-k8s.io/v1beta2"


class Cluster:
    """Objects, processes and files of one cluster.

    A cluster given by KUBECONFIG has no `components`: nobody here can stop its processes.
    """

    def __init__(
        self,
        kubeconfig: Path,
        image: str,
        repository: Path,
        runs: Path,
        scratch: Path,
        *,
        real_pods: bool = True,
        components: Mapping[str, Component] | None = None,
    ) -> None:
        self.kubeconfig = kubeconfig
        self.image = image  # reference of the probe workload
        self.objects = Objects(kubeconfig)
        self.repository = GitopsRepository(repository)
        self.runs = runs
        self.scratch = scratch
        self.real_pods = real_pods
        self.components = dict(components or {})

    @classmethod
    def of(cls, layout: Layout) -> Cluster:
        """The cluster that was started in a state folder."""
        components = {
            file.stem: Component(Program.load(file), layout)
            for file in sorted(layout.programs.glob("*.json"))
        }
        return cls(
            layout.admin_kubeconfig,
            (layout.state / "image").read_text(),
            layout.repository,
            layout.runs,
            layout.kubeconfigs,
            real_pods=layout.real_pods,
            components=components,
        )

    def close(self) -> None:
        self.objects.close()

    def component(self, name: str) -> Component:
        """A program by name: pause, kill, stop, start or restart it."""
        if name not in self.components:
            raise TestbedError(f"no component {name}; there are: {', '.join(self.components)}")
        return self.components[name]

    @contextmanager
    def paused(self, name: str) -> Iterator[Component]:
        """The component does nothing within the block, and goes on after it."""
        component = self.component(name)
        component.pause()
        try:
            yield component
        finally:
            component.resume()

    @contextmanager
    def stopped(self, name: str) -> Iterator[Component]:
        """The component is gone within the block, and started again after it."""
        component = self.component(name)
        component.stop()
        try:
            yield component
        finally:
            component.start()
            component.wait_ready()

    def kubeconfig_of(self, namespace: str, account: str) -> Path:
        """A kubeconfig of a service account."""
        token = self.objects.token(namespace, account, token_request())
        path = self.scratch / f"{namespace}-{account}"
        server, authority = self.objects.server, self.objects.authority
        return write_kubeconfig(path, server, authority, token, namespace)

    def add_nodes(
        self,
        count: int,
        pool: str,
        capacity: Mapping[str, str],
        labels: Mapping[str, str] | None = None,
        taints: list[Any] | None = None,
        prefix: str = "fake",
    ) -> list[str]:
        """Nodes of kwok, ready to take pods; returns their names."""
        names = [f"{prefix}-{pool}-{number}" for number in range(count)]
        for name in names:
            self.objects.create(fake_node(name, pool, capacity, labels or {}, taints or []))
        wait_until(lambda: all(map(self.node_ready, names)), f"nodes of {pool} are ready", 60)
        return names

    def remove_nodes(self, names: list[str]) -> None:
        for name in names:
            self.objects.delete("v1", "Node", name)

    def node_ready(self, name: str) -> bool:
        node = self.objects.find("v1", "Node", name)
        conditions = node["status"].get("conditions", []) if node else []
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    def refresh(self, application: str) -> None:
        """Ask Argo CD to look at Git now."""
        annotation = {"argocd.argoproj.io/refresh": "normal"}
        change = {"metadata": {"annotations": annotation}}
        self.objects.patch(_APPLICATION, "Application", application, change, "argocd")

    def refresh_sets(self) -> None:
        """Ask Argo CD to make the Applications of new teams and shards now."""
        annotation = {"argocd.argoproj.io/application-set-refresh": "true"}
        for item in self.objects.list(_APPLICATION, "ApplicationSet", "argocd"):
            name = item["metadata"]["name"]
            change = {"metadata": {"annotations": annotation}}
            self.objects.patch(_APPLICATION, "ApplicationSet", name, change, "argocd")

    def wait_synced(self, application: str, commit: str, seconds: float = 90.0) -> None:
        """Until Argo CD has applied the commit or a later one.

        Asks for a refresh again and again: one that comes during another is swallowed.
        """

        def synced() -> bool:
            found = self.objects.find(_APPLICATION, "Application", application, "argocd") or {}
            sync = found.get("status", {}).get("sync", {})
            phase = found.get("status", {}).get("operationState", {}).get("phase", "Succeeded")
            at_rest = (sync.get("status"), phase) == ("Synced", "Succeeded")
            if at_rest and self.repository.follows(sync.get("revision", ""), commit):
                return True
            if found:
                self.refresh(application)
            return False

        wait_until(
            synced,
            f"{application} is synced to {commit[:8]}",
            seconds,
            pause=1.0,
            explain=lambda: self.why_not_synced(application),
        )

    def why_not_synced(self, application: str) -> str:
        found = self.objects.find(_APPLICATION, "Application", application, "argocd")
        if found is None:
            return f"there is no Application {application}"
        status = found.get("status", {})
        operation = status.get("operationState", {})
        said = {name: operation.get(name) for name in ("phase", "message")}
        return f"{status.get('sync')}\n{status.get('conditions')}\n{said}"

    def wait_team(self, team: str, seconds: float = 120.0) -> None:
        """Until Argo CD has made a team's namespace and queue, and its folder of jobs is watched."""

        def ready() -> bool:
            queue = self.objects.find(_KUEUE, "LocalQueue", team, team)
            conditions = queue.get("status", {}).get("conditions", []) if queue else []
            active = any(c["type"] == "Active" and c["status"] == "True" for c in conditions)
            return active and self.objects.find("v1", "ServiceAccount", "ray", team) is not None

        wait_until(
            ready,
            f"team {team} has its namespace and queue",
            seconds,
            pause=0.5,
            explain=lambda: self.why_not_synced(f"team-{team}"),
        )
        self.add_run_storage(team)
        self.wait_synced(f"jobs-{team}-000", self.repository.head, seconds)

    def add_run_storage(self, namespace: str) -> None:
        """The claim `runs` in a namespace: the same folder of this machine for every team."""
        size = {"storage": "10Gi"}
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"runs-{namespace}"},
            "spec": {
                "capacity": size,
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"name": "runs", "namespace": namespace},
                "hostPath": {"path": str(self.runs), "type": "Directory"},
            },
        }
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "runs", "namespace": namespace},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "volumeName": f"runs-{namespace}",
                "resources": {"requests": size},
            },
        }
        self.objects.apply(volume)
        self.objects.apply(claim)

    def answers(self) -> bool:
        """Whether the API server is there and knows us."""
        try:
            return self.objects.text("/readyz") == "ok"
        except ApiError:
            return False
