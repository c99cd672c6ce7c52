"""Starts the cluster, step by step; each step is said as it happens."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from testbed import argocd as argo
from testbed import operators
from testbed.attach import note_up
from testbed.certificates import make_certificates
from testbed.cluster import Cluster
from testbed.component import Component, Program
from testbed.containers import import_images
from testbed.control_plane import control_plane
from testbed.fake_nodes import kwok, write_kwok_configuration
from testbed.gitops_repository import GitopsRepository
from testbed.images import NO_IMAGE, ProbeImage, probe_image
from testbed.kubeconfigs import make_kubeconfigs
from testbed.layout import NODE, NODE_POOL, Layout
from testbed.network import check_ports, make_network
from testbed.node import node, write_node_configuration
from testbed.platform_tree import (
    Document,
    Rendering,
    make_tree,
)
from testbed.requirements_check import check_programs
from testbed.stop import stop
from testbed.tools import build_tools
from testbed.waiting import TestbedError, wait_until

Say = Callable[[str], None]
TOOLS = ("etcd", "k8s", "kuberay", "kueue", "argocd", "kwok", "coredns", "kustomize")
_RELEASED = ("argocd", "kuberay", "kueue")
# Host processes stand in for these two Applications.
_NOT_SYNCED = {"kuberay", "kueue"}
# What of the service is applied: its pods are not.
RIGHTS = {
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
# What kwok plays where no kubelet can run.
_LARGE = {"cpu": "64", "memory": "256Gi", "nvidia.com/gpu": "4"}
_NAMESPACES = (argo.NAMESPACE, operators.KUBERAY_NAMESPACE, operators.KUEUE_NAMESPACE)


class Start:
    """One start of a cluster in `layout.state`."""

    def __init__(self, layout: Layout, say: Say) -> None:
        self._layout = layout
        self._tell, self._began = say, time.monotonic()
        self._components: dict[str, Component] = {}

    def _say(self, text: str) -> None:
        self._tell(f"[{time.monotonic() - self._began:4.0f}s] {text}")

    def run(self) -> Cluster:
        """Raises TestbedError with the end of the log of what did not start, and ends the rest."""
        self._layout.state.mkdir(parents=True, exist_ok=True)
        with self._layout.state.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise TestbedError("another process is starting the cluster") from error
            try:
                return self._run()
            except BaseException:
                self._say("it did not start; what was started is ended again")
                stop(self._layout, self._say)
                raise

    def _run(self) -> Cluster:
        layout = self._layout
        check_programs(real_pods=layout.real_pods)
        if layout.pids.exists():
            self._say("ending what a start that was cut off left behind")
            stop(layout, self._say)
        check_ports(layout)
        self._tools = build_tools(*TOOLS)
        self._image = probe_image(self._say) if layout.real_pods else None
        self._prepare()
        self._say("starting the control plane")
        with ThreadPoolExecutor(6) as pool:
            rendered = {name: pool.submit(self._render, name) for name in _RELEASED}
            self._start(control_plane(layout, self._tools)[:2])
            started = pool.submit(self._start_node, self._image) if self._image else None
            self._start_control_plane()
            self._cluster = Cluster.of(layout)
            released = {name: future.result() for name, future in rendered.items()}
            self._install(released)
            self._wait_for_node(started)
        self._apply_site()
        note_up(layout)
        self._say("the cluster is up")
        self._cluster.components.update(self._components)
        return self._cluster

    def _prepare(self) -> None:
        layout = self._layout
        for left_over in (layout.programs, layout.logs):
            shutil.rmtree(left_over, ignore_errors=True)
        layout.runs.mkdir(parents=True, exist_ok=True)
        layout.runs.chmod(0o777)  # pods write as another user
        make_certificates(layout.certificates)
        make_kubeconfigs(layout)
        make_tree(layout)
        GitopsRepository(layout.repository).commit_folder(layout.tree, "The test site")
        self._rendering = Rendering(layout, self._tools)
        self._rendering.prepare(layout.tree)
        write_kwok_configuration(layout, self._tools)
        argo.prepare_argocd(layout, self._tools)
        if layout.real_pods:
            make_network(layout)
            write_node_configuration(layout)
        image = self._image.reference if self._image else NO_IMAGE
        (layout.state / "image").write_text(image)
        kubectl = layout.state / "kubectl"
        kubectl.unlink(missing_ok=True)
        kubectl.symlink_to(self._tools.program("k8s", "kubectl"))

    def _render(self, component: str) -> list[Document]:
        return self._rendering.render(f"platform/{component}")

    def _start(self, programs: Iterable[Program]) -> None:
        for program in programs:
            program.save(self._layout.programs)
            self._components[program.name] = Component(program, self._layout)
            self._components[program.name].start()

    def _start_control_plane(self) -> None:
        self._components["apiserver"].wait_ready(120)
        self._say("API server ready")
        self._start(control_plane(self._layout, self._tools)[2:])
        self._start([kwok(self._layout, self._tools)])

    def _start_node(self, image: ProbeImage) -> None:
        containerd, *others = node(self._layout, self._tools)
        self._start([containerd])
        self._components["containerd"].wait_ready()
        import_images(self._layout, image)
        self._components["apiserver"].wait_ready(120)
        self._start(others)

    def _wait_for_node(self, started: Future[None] | None) -> None:
        cluster = self._cluster
        if started is None:
            cluster.add_nodes(1, NODE_POOL, _LARGE)
            self._say("node ready, played by kwok")
            return
        started.result()
        kubelet = self._components["kubelet"]
        wait_until(lambda: cluster.node_ready(NODE), "node1 is ready", 120, explain=kubelet.tail)
        for name in ("coredns", "kube-proxy"):
            self._components[name].wait_ready()
        self._say("node ready")

    def _install(self, released: dict[str, list[Document]]) -> None:
        """The released objects, then the processes with the accounts that came with them."""
        objects = self._cluster.objects
        everything = [
            item
            for items in released.values()
            for item in operators.as_processes_serve_them(self._layout, items)
        ]
        early = ("CustomResourceDefinition", "Namespace")
        missing = [namespace(name) for name in _NAMESPACES]
        self._say("releases rendered")
        objects.apply_all([*missing, *(item for item in everything if item["kind"] in early)])
        for item in everything:
            if item["kind"] == "CustomResourceDefinition":
                self._wait_served(item)
        self._say("kinds served")
        rest = [item for item in everything if item["kind"] not in early]
        objects.apply_all(operators.without_webhooks(rest))
        self._start_controllers(released, operators.webhooks(rest))

    def _start_controllers(
        self, released: dict[str, list[Document]], webhooks: list[Document]
    ) -> None:
        objects, layout = self._cluster.objects, self._layout
        for space, account in (
            (argo.NAMESPACE, argo.CONTROLLER),
            (argo.NAMESPACE, argo.APPLICATION_SETS),
            (operators.KUBERAY_NAMESPACE, operators.KUBERAY),
            (operators.KUEUE_NAMESPACE, operators.KUEUE),
        ):
            made = self._cluster.kubeconfig_of(space, account)
            made.replace(layout.kubeconfigs / account)
        argo.add_session_key(objects)
        operators.write_kueue_configuration(layout, released["kueue"])
        self._start([operators.kueue(layout, self._tools)])
        self._start([operators.kuberay(layout, self._tools, released["kuberay"])])
        self._start(argo.argocd(layout, self._tools, released["argocd"]))
        self._components["kueue"].wait_ready(120)
        objects.apply_all(webhooks)
        for name in (
            "kuberay",
            "repo-server",
            "application-controller",
            "applicationset-controller",
        ):
            self._components[name].wait_ready(120)
        self._say("Argo CD, Kueue and KubeRay ready")

    def _wait_served(self, definition: Document) -> None:
        spec = definition["spec"]
        versions = [version["name"] for version in spec["versions"] if version["served"]]
        version, kind = f"{spec['group']}/{versions[-1]}", spec["names"]["kind"]
        objects = self._cluster.objects
        wait_until(lambda: objects.serves(version, kind), f"{version} {kind} is served", 120)

    def _apply_site(self) -> None:
        """What an administrator applies once; Argo CD brings the rest from Git."""
        # The service is a process beside the cluster, with the account and the rights of its pods.
        service = self._rendering.render("platform/ml-platform")
        self._cluster.objects.apply_all(item for item in service if item["kind"] in RIGHTS)
        shipped = self._rendering.render("clusters/workload")
        self._cluster.objects.apply_all(
            item for item in shipped if item["metadata"]["name"] not in _NOT_SYNCED
        )
        head = self._cluster.repository.head
        for name in ("admission", "queues"):
            self._cluster.wait_synced(name, head, 120)
        self._say("queues and policies applied by Argo CD")
        teams = sorted(path.parent.name for path in self._layout.tree.glob("teams/*/team.yaml"))
        for team in teams:
            self._cluster.wait_team(team)
        self._say(f"teams ready: {', '.join(teams)}")


def namespace(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
