"""The test cluster itself: what the other tests here take for granted."""

from __future__ import annotations

import json

import pytest
from probe_job import probe_manifest
from testbed.cluster import Cluster
from testbed.layout import NODE
from testbed.objects import ApiError
from testbed.waiting import wait_until

RAY = "ray.io/v1"


def pod(name: str, image: str, command: str, **spec: object) -> dict[str, object]:
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", command],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }


def run_pod(cluster: Cluster, name: str, command: str) -> str:
    """Output of a pod that ends by itself."""
    objects = cluster.objects
    objects.create(pod(name, cluster.image, command))
    try:
        ended = ("Succeeded", "Failed")
        wait_until(lambda: objects.get("v1", "Pod", name)["status"]["phase"] in ended, name, 90)
        return objects.log("default", name)
    finally:
        objects.delete("v1", "Pod", name)


@pytest.mark.usefixtures("own_processes", "real_pods")
def test_the_node_is_ready_and_has_gpus(cluster: Cluster) -> None:
    assert cluster.node_ready(NODE)
    node = cluster.objects.get("v1", "Node", NODE)
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "4"


def test_a_pod_finds_services_by_name(cluster: Cluster, real_pods: None) -> None:
    service = cluster.objects.get("v1", "Service", "kubernetes")
    look = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    found = run_pod(cluster, "dns", f'python -c "{look}"').strip()
    assert found == service["spec"]["clusterIP"]
    assert found == "10.96.0.1" or not cluster.components


def test_a_pod_reaches_the_api_server_through_its_service(
    cluster: Cluster, real_pods: None
) -> None:
    ask = (
        "wget --quiet --no-check-certificate --output-document - https://kubernetes.default/version"
    )
    found = json.loads(run_pod(cluster, "service", ask))["gitVersion"]
    assert found == cluster.objects.request("GET", "/version")["gitVersion"]
    assert found == "v1.36.3" or not cluster.components


def test_no_process_of_a_pod_compiles_its_packages_again(cluster: Cluster, real_pods: None) -> None:
    look = "python -v -c 'import json, ray' 2>&1 | grep '# code object from'"
    loaded = run_pod(cluster, "compiled", look).splitlines()
    # Python quotes the name of a file that was compiled before, and no other's.
    again = [line for line in loaded if "from '" not in line]
    assert len(loaded) > 300 and again == []


def test_a_worker_that_comes_before_its_head_knows_its_own_address(
    cluster: Cluster, real_pods: None
) -> None:
    """The head's name does not exist then. Ray asks which address leads there; see trap T23."""
    look = (
        "import socket; from ray._private.services import get_node_ip_address as own; "
        "print(own('nobody.default.svc.cluster.local:6379'), socket.gethostbyname(socket.gethostname()))"
    )
    # What Ray says about the name comes before.
    said = run_pod(cluster, "early", f'python -c "{look}"').splitlines()
    found, pod_address = said[-1].split()
    assert found == pod_address and not found.startswith("127.")


def test_fake_nodes_take_pods(cluster: Cluster) -> None:
    nodes = cluster.add_nodes(3, "fake-gpu", {"cpu": "8", "memory": "32Gi"}, prefix="testbed")
    objects = cluster.objects
    selector = {"ml-platform/pool": "fake-gpu"}
    objects.create(pod("fake", cluster.image, "true", nodeSelector=selector))
    try:
        running = ("Running", "Succeeded")
        wait_until(
            lambda: objects.get("v1", "Pod", "fake")["status"]["phase"] in running, "pod", 60
        )
        assert objects.get("v1", "Pod", "fake")["spec"]["nodeName"] in nodes
    finally:
        objects.delete("v1", "Pod", "fake")
        cluster.remove_nodes(nodes)


@pytest.mark.usefixtures("own_processes")
@pytest.mark.parametrize("name", ["kuberay", "kueue", "application-controller", "repo-server"])
def test_a_component_comes_back_after_kill(cluster: Cluster, name: str) -> None:
    component = cluster.component(name)
    component.kill()
    assert not component.running
    component.start()
    component.wait_ready(120)


def test_policies_are_in_force(cluster: Cluster) -> None:
    manifest = probe_manifest(cluster.image, "team-a")
    del manifest["metadata"]["labels"]["ml-platform/team"]
    with pytest.raises(ApiError, match="labels"):
        cluster.objects.create(manifest, dry_run=True)


def test_a_new_team_comes_by_a_commit(cluster: Cluster, team: str) -> None:
    namespace = cluster.objects.get("v1", "Namespace", team)
    assert namespace["metadata"]["labels"]["ml-platform/queue"] == team
