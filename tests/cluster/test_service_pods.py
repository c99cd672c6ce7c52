"""The service as it is shipped: its Deployment's pods, reached by a port-forward, run a job."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from callers import SPACE, committer, let_submit
from conftest import say
from jobs import JobOnCluster
from platform_service import PROBE, VERSION, PlatformService
from testbed.attach import running_layout
from testbed.cluster import Cluster
from testbed.containers import import_image
from testbed.layout import Layout
from testbed.objects import Objects
from testbed.platform_tree import Document, Rendering
from testbed.service_image import service_image
from testbed.start import RIGHTS, TOOLS
from testbed.tools import build_tools
from testbed.waiting import wait_until

from ml_platform import MlPlatformError, PlatformClient

pytestmark = [pytest.mark.own_service, pytest.mark.timeout(900)]
APP = "app.kubernetes.io/name=ml-platform"


class Shipped:
    """The tree's component `ml-platform`, applied to the test cluster."""

    def __init__(self, layout: Layout, cluster: Cluster) -> None:
        self._layout, self._cluster = layout, cluster
        rendered = Rendering(layout, build_tools(*TOOLS)).render("platform/ml-platform")
        self._objects = [item for item in rendered if item["kind"] not in RIGHTS]
        (self._deployment,) = [item for item in self._objects if item["kind"] == "Deployment"]

    def start(self) -> None:
        pod = self._deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        import_image(self._layout, service_image(say), container["image"])
        # The repository belongs to root, who runs the tests; `restricted` forbids just that user.
        pod["securityContext"] |= {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0}
        self._allow("baseline")
        for name, folder in (("shared", self._layout.shared), ("runs", self._layout.runs)):
            self._cluster.objects.apply(_volume(name, str(folder)))
        for item in self._objects:
            if item["kind"] == "PersistentVolumeClaim":
                item["spec"] |= {"storageClassName": "", "volumeName": item["metadata"]["name"]}
        self._cluster.objects.apply_all(self._objects)
        wait_until(lambda: len(self.ready()) == 2, "both replicas are ready", 180, explain=self.why)
        shutil.copytree(PROBE, self._layout.shared / "probe", dirs_exist_ok=True)
        # As docs/operating-on-a-cluster.md says.
        record = (
            f"build probe {VERSION} --path /srv/ml-platform/probe --image {self._cluster.image}"
        )
        self.execute("ml-platform", *record.split())

    def _allow(self, level: str) -> None:
        labels = {"pod-security.kubernetes.io/enforce": level}
        change = {"metadata": {"labels": labels}}
        self._cluster.objects.patch("v1", "Namespace", SPACE, change)

    def stop(self) -> None:
        for item in reversed(self._objects):
            metadata = item["metadata"]
            self._cluster.objects.delete(
                item["apiVersion"], item["kind"], metadata["name"], metadata["namespace"]
            )
        wait_until(lambda: not self.pods(), "the service's pods are gone", 90)
        for name in ("shared", "runs"):
            self._cluster.objects.delete("v1", "PersistentVolume", name)
        self._allow("restricted")

    def pods(self) -> list[Document]:
        return self._cluster.objects.list("v1", "Pod", SPACE, APP)

    def ready(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods() if _is_ready(pod)]

    def execute(self, *command: str) -> str:
        """A command in one of the pods, as an operator gives it."""
        kubectl = [str(self._layout.state / "kubectl"), "--kubeconfig"]
        kubectl += [str(self._cluster.kubeconfig), "-n", SPACE, "exec", "deploy/ml-platform", "--"]
        done = subprocess.run([*kubectl, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}\n{self.why()}"
        return done.stdout

    def why(self) -> str:
        told = []
        for pod in self.pods():
            name = pod["metadata"]["name"]
            told.append(f"{name}: {json.dumps(pod['status'])[:1500]}")
            if pod["status"].get("phase") == "Running":
                told.append(self._cluster.objects.log(SPACE, name, tailLines="20"))
        return "\n".join(told)


def _is_ready(pod: Document) -> bool:
    conditions = pod["status"].get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _volume(name: str, folder: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Ti"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "claimRef": {"name": name, "namespace": SPACE},
            "hostPath": {"path": folder, "type": "Directory"},
        },
    }


@pytest.fixture
def shipped(
    cluster: Cluster, service: PlatformService, real_pods: None, own_processes: None
) -> Iterator[Shipped]:
    if service.running:
        service.end_service()  # the Lease is for the pods; whoever needs it starts it again
    shipped = Shipped(running_layout(say), cluster)
    try:
        shipped.start()
        yield shipped
    finally:
        shipped.stop()


def test_a_job_takes_the_whole_road_while_the_committing_pod_goes(
    cluster: Cluster,
    admin: Objects,
    team: str,
    tools: str,
    shipped: Shipped,
    through: Callable[[str, str], PlatformClient],
) -> None:
    let_submit(admin, tools, team)
    request: dict[str, Any] = {"team": team, "pool": "test", "workers": 1, "attempts": 1}
    with through(tools, "nightly") as client:
        job = client.submit_job("probe", VERSION, parameters={"seconds": 10}, **request)
        assert client.way.startswith("a port-forward to Service ml-platform/ml-platform of ")
        on_cluster = JobOnCluster(cluster, job, team)
        on_cluster.wait_phase("running")
        first = committer(admin)
        (gone,) = [name for name in shipped.ready() if name in first]
        admin.delete("v1", "Pod", gone, SPACE)
        wait_until(lambda: committer(admin) not in ("", first), "another replica commits", 60)
        wait_until(lambda: _status(job) == "succeeded", f"{job.id} succeeds", 240, pause=0.5)
        on_cluster.wait_archived()
        assert job.results().summary["progress"] == 10
        assert job.view.owner == f"user:{tools}/nightly"


def _status(job: Any) -> str:
    try:
        return str(job.status)
    except MlPlatformError:
        return "unreachable"  # the pod at the other end has gone; the next call finds another
