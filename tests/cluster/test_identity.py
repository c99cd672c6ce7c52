"""Callers as a real API server knows them, the way to the service through it, and the Lease of replicas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from callers import SPACE, accounts_of, bind, committer, connection_to, let_submit, may
from platform_service import PROBE, VERSION, PlatformService
from testbed.cluster import Cluster
from testbed.objects import Objects
from testbed.teams import hold_queue
from testbed.waiting import wait_until

from ml_platform import (
    AuthenticationError,
    MlPlatformError,
    NotAllowedError,
    NotFoundError,
    PlatformClient,
    ServiceUnavailableError,
)


@pytest.mark.usefixtures("connection")
def test_an_account_is_who_the_api_server_says_in_the_teams_whose_role_it_has(
    admin: Objects, team: str, tools: str, through: Callable[[str, str], PlatformClient]
) -> None:
    let_submit(admin, tools, team)
    with through(tools, "nightly") as client:
        me = client.me()
        assert (me.user, me.teams) == (f"user:{tools}/nightly", [team])
        plan = client.plan_job("probe", VERSION, team=team, pool="test")
        assert plan.decision == "commit"
        job = client.submit_job("probe", VERSION, team=team, pool="test")
        assert job.view.owner == f"user:{tools}/nightly"
        job.cancel()
    account = f"system:serviceaccount:{tools}:nightly"
    for verb in ("create", "update", "patch", "delete"):
        assert not may(admin, account, verb, "rayjobs.ray.io", team), "past Git"


@pytest.mark.usefixtures("connection")
def test_an_account_of_a_teams_namespace_belongs_to_it_and_to_no_other(
    admin: Objects, team: str, through: Callable[[str, str], PlatformClient]
) -> None:
    account = {"name": "ci", "namespace": team}
    admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    bind(admin, "caller", SPACE, accounts_of(team))
    with through(team, "ci") as client:
        me = client.me()
        assert (me.user, me.teams) == (f"user:{team}/ci", [team])
        with pytest.raises(NotAllowedError, match="you are no member of team-a"):
            client.plan_job("probe", VERSION, team="team-a", pool="test")


@pytest.mark.usefixtures("connection")
def test_an_account_without_any_role_is_known_and_may_do_nothing(
    admin: Objects, team: str, tools: str, through: Callable[[str, str], PlatformClient]
) -> None:
    unread = pytest.raises(NotAllowedError, match="may not read ConfigMap ml-platform/connection")
    with through(tools, "nightly") as client, unread:
        client.me()
    bind(admin, "caller", SPACE, accounts_of(tools))
    with through(tools, "nightly") as client:
        assert client.me().teams == []
        with pytest.raises(NotAllowedError, match=f"you are no member of {team}"):
            client.plan_job("probe", VERSION, team=team, pool="test")


THE_SERVICE = f"system:serviceaccount:{SPACE}:ml-platform"
LOOKS_AT = ("rayjobs.ray.io", "workloads.kueue.x-k8s.io", "pods", "events")
NEVER = (
    ("get", "secrets"),
    ("create", "rayjobs.ray.io"),
    ("patch", "rayjobs.ray.io"),
    ("delete", "rayjobs.ray.io"),
    ("patch", "rayclusters.ray.io"),
    ("delete", "rayclusters.ray.io"),
    ("patch", "workloads.kueue.x-k8s.io"),
    ("patch", "clusterqueues.kueue.x-k8s.io"),
    ("create", "pods"),
    ("delete", "pods"),
    ("create", "pods/exec"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
)


def test_the_service_looks_at_what_is_a_team_s_and_writes_nothing_there(
    admin: Objects, team: str
) -> None:
    for resource in LOOKS_AT:
        assert may(admin, THE_SERVICE, "watch", resource, team), resource
    allowed = [each for each in NEVER if may(admin, THE_SERVICE, *each, team)]
    assert allowed == []


def test_a_token_that_the_api_server_does_not_know_opens_nothing(platform: PlatformService) -> None:
    with (
        PlatformClient(platform.url, "x" * 40) as client,
        pytest.raises(AuthenticationError, match=r"no cluster .* knows the bearer token"),
    ):
        client.me()


def test_a_cluster_without_the_platform_says_so(
    admin: Objects, tools: str, through: Callable[[str, str], PlatformClient]
) -> None:
    admin.delete("v1", "ConfigMap", "connection", SPACE)
    bind(admin, "caller", SPACE, accounts_of(tools))
    with (
        through(tools, "nightly") as client,
        pytest.raises(NotFoundError, match="ConfigMap ml-platform/connection is missing"),
    ):
        client.me()


# A stand-in for the service inside of the cluster: what it is asked comes back in the answer.
ANSWERING = """\
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"user": "user:default/" + self.path.split("/")[-1], "name": "x",
                           "teams": [str(len(self.headers["Authorization"]))], "kind": "user"})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
http.server.ThreadingHTTPServer(("0.0.0.0", 7008), Handler).serve_forever()
"""


def _answering_pod(image: str, labels: dict[str, str]) -> dict[str, Any]:
    container = {
        "name": "service",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", ANSWERING],
        "ports": [{"name": "http", "containerPort": 7008}],
        # Not over HTTP: a probe brings no token, which the answer counts on.
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security = {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "answering", "namespace": SPACE, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": security,
            "containers": [container],
        },
    }


@pytest.fixture
def answering(cluster: Cluster, admin: Objects) -> Iterator[None]:
    labels = {"app.kubernetes.io/name": "answering"}
    admin.create(_answering_pod(cluster.image, labels))
    ports = [{"name": "http", "port": 7008, "targetPort": "http"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "ml-platform", "namespace": SPACE},
        "spec": {"selector": labels, "ports": ports},
    }
    admin.create(service)
    admin.apply(connection_to(service="ml-platform", port="7008"))
    yield
    for kind, name in (("ConfigMap", "connection"), ("Service", "ml-platform")):
        admin.delete("v1", kind, name, SPACE)
    admin.delete("v1", "Pod", "answering", SPACE)


@pytest.mark.usefixtures("answering", "real_pods")
def test_the_service_in_the_cluster_is_reached_through_the_api_server(
    admin: Objects, tools: str, through: Callable[[str, str], PlatformClient]
) -> None:
    bind(admin, "caller", SPACE, accounts_of(tools))
    with through(tools, "nightly") as client:

        def reached() -> bool:
            try:
                return client.me().user == "user:default/me"
            except MlPlatformError:
                return False  # its pod is being started

        wait_until(reached, "the service is reached", 120, pause=1.0)
        for _ in range(20):
            assert client.me().user == "user:default/me"
        assert client.way.startswith("a port-forward to Service ml-platform/ml-platform of ")


@pytest.fixture
def pair(
    cluster: Cluster, admin: Objects, service: PlatformService, tmp_path: Path
) -> Iterator[tuple[PlatformService, PlatformService]]:
    """Two replicas over one repository, each with a journal of its own; the first one commits."""
    if service.running:
        service.end_service()  # the Lease is for one of these two; whoever needs it starts it again
    replicas = []
    for name in ("one", "two"):
        replica = PlatformService(cluster, tmp_path / name)
        replica._environment["ML_PLATFORM_REPLICA_URL"] = replica.url
        replica._environment["ML_PLATFORM_IMAGES_DIR"] = str(tmp_path / "images")
        replica._environment["ML_PLATFORM_TOKEN_FILE"] = str(tmp_path / "token.json")
        replicas.append(replica)
    replicas[0].command("build", "probe", VERSION, "--path", str(PROBE), "--image", cluster.image)
    for replica in replicas:
        replica.start()

    def ordered() -> list[PlatformService]:
        holder = committer(admin).rpartition("_")[2]
        ports = [replica.url.rpartition(":")[2] for replica in replicas]
        return replicas[:: 1 if holder == ports[0] else -1] if holder in ports else []

    first, second = wait_until(ordered, "one of the replicas commits", 60)
    yield first, second
    for replica in replicas:
        replica.stop()


@pytest.mark.own_service
def test_when_the_replica_that_commits_is_killed_the_other_goes_on(
    cluster: Cluster, team: str, pair: tuple[PlatformService, PlatformService], tmp_path: Path
) -> None:
    hold_queue(cluster, team)  # its jobs need not run: only commits are looked at
    token = json.loads((tmp_path / "token.json").read_text())["token"]
    first, second = pair
    request = {"team": team, "pool": "test", "attempts": 1}
    with PlatformClient(first.url, token) as one, PlatformClient(second.url, token) as two:
        job = two.submit_job("probe", VERSION, idempotency_key=f"{team}-one", **request)
        assert one.get_job(job.id).view.team == team
        first.kill()
        assert two.get_job(job.id).view.team == team

        def committed() -> bool:
            try:
                two.submit_job("probe", VERSION, idempotency_key=f"{team}-two", **request)
            except ServiceUnavailableError:
                return False  # nobody holds the Lease yet
            return True

        wait_until(committed, "the second replica commits", 40, pause=0.5)
        assert (
            two.submit_job("probe", VERSION, idempotency_key=f"{team}-one", **request).id == job.id
        )
        for left in list(two.list_jobs(team=team)):
            two.get_job(left.id).cancel()
