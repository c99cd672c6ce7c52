"""The service through a kubecontext: where the cluster says it is, as whom the kubeconfig says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server_double import ApiServerDouble
from https_double import https_service
from port_forward_double import PortForwardDouble
from service_world import ADA, GROUPS, TEAM, Service

from ml_platform import (
    AuthenticationError,
    MlPlatformError,
    NotAllowedError,
    NotFoundError,
    PlatformClient,
    ServiceUnavailableError,
    WorkError,
)
from ml_platform.service_way import way_to_service
from ml_platform.settings import Settings

CONFIG_MAP = "/api/v1/namespaces/ml-platform/configmaps/connection"
Use = Callable[..., Path]


@pytest.fixture
def api() -> Iterator[ApiServerDouble]:
    server = ApiServerDouble()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No platform of this machine, and no kubeconfig of the person who runs the tests."""
    for name in ("SERVER", "TOKEN", "CONTEXT"):
        monkeypatch.delenv(f"ML_PLATFORM_{name}", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("ML_PLATFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.fixture
def use(api: ApiServerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Makes a kubeconfig with `user` current, and tells the cluster where the service is."""

    def choose(user: dict[str, Any], **connection: str) -> Path:
        api.objects[CONFIG_MAP] = {"kind": "ConfigMap", "metadata": {}, "data": connection}
        path = api.kubeconfig(tmp_path, user)
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return choose


def token_of_ada(service: Service) -> str:
    """What a cluster's token is to the SDK: a word that the service knows."""
    return service.backstage.token_of(ADA, *GROUPS[ADA])


def refused() -> MlPlatformError:
    """What a client that soon gives up says."""
    with PlatformClient(patience=1.0) as client, pytest.raises(MlPlatformError) as caught:
        client.me()
    return caught.value


def test_the_cluster_says_where_the_service_is_and_the_kubeconfig_who_we_are(
    use: Use, shared_service: Service
):
    path = use({"token": token_of_ada(shared_service)}, address=f"{shared_service.url}/")
    with PlatformClient() as client:
        assert client.me().user == ADA
        job = client.submit_job("tiny", "v1", team=TEAM)
        assert job.view.owner == ADA
        assert client.way == (
            f"{shared_service.url}, which ConfigMap ml-platform/connection of the current context "
            f"of {path} names"
        )


def test_a_client_asks_nothing_before_its_first_call(use: Use, api: ApiServerDouble):
    use({"token": "x"}, address="https://platform.example.org")
    PlatformClient().close()
    assert api.asked == []


def test_the_cluster_is_asked_with_the_same_token_once(
    use: Use, api: ApiServerDouble, shared_service: Service
):
    token = token_of_ada(shared_service)
    use({"token": token}, address=shared_service.url)
    with PlatformClient() as client:
        client.me()
        client.me()
    assert api.asked == [("GET", CONFIG_MAP, f"Bearer {token}")]


EXEC_PLUGIN = """\
import json, pathlib, sys
count = pathlib.Path(sys.argv[1])
count.write_text(str(int(count.read_text() or 0) + 1))
status = {"token": sys.argv[2], "expirationTimestamp": sys.argv[3]}
kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
print(json.dumps({**kind, "status": status}))
"""


@pytest.mark.parametrize(
    ("expires", "runs"), [("2999-01-01T00:00:00Z", 1), ("2020-01-01T00:00:00Z", 3)]
)
def test_a_token_of_an_exec_plugin_is_renewed_when_it_has_expired(
    use: Use, tmp_path: Path, shared_service: Service, expires: str, runs: int
):
    (tmp_path / "count").write_text("")
    arguments = ["-c", EXEC_PLUGIN, str(tmp_path / "count"), token_of_ada(shared_service), expires]
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": arguments,
        "interactiveMode": "Never",
    }
    use({"exec": plugin}, address=shared_service.url)
    with PlatformClient() as client:
        assert client.me().user == ADA
    assert int((tmp_path / "count").read_text()) >= runs
    assert (int((tmp_path / "count").read_text()) == 1) is (runs == 1)


@pytest.mark.parametrize(
    "user", [{"client-certificate-data": "c2VjcmV0"}, {"username": "ada", "password": "secret"}]
)
def test_credentials_that_are_no_token_are_no_identity_and_the_way_out_is_named(
    use: Use,
    tmp_path: Path,
    shared_service: Service,
    monkeypatch: pytest.MonkeyPatch,
    user: dict[str, str],
):
    use(user, address=shared_service.url)
    error = refused()
    assert isinstance(error, AuthenticationError)
    assert f"the current context of {tmp_path / 'test.kubeconfig'} has no bearer token" in str(
        error
    )
    assert "kubectl create token <service account> -n <team>" in str(error)
    assert "secret" not in str(error)
    monkeypatch.setenv("ML_PLATFORM_TOKEN", token_of_ada(shared_service))
    with PlatformClient() as client:
        assert client.me().user == ADA


REFUSALS = {
    401: (AuthenticationError, "refuses your credentials"),
    403: (NotAllowedError, "you may not read ConfigMap ml-platform/connection"),
    404: (NotFoundError, "has no ML Platform"),
    500: (ServiceUnavailableError, "answers 500"),
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_cluster_that_does_not_tell_is_named_with_the_context_and_the_fix(
    use: Use, api: ApiServerDouble, tmp_path: Path, status: int
):
    use({"token": "x"})
    api.answer_all = (status, {"kind": "Status", "status": "Failure"})
    error = refused()
    kind, sentence = REFUSALS[status]
    assert isinstance(error, kind)
    assert sentence in error.message
    assert f"the current context of {tmp_path / 'test.kubeconfig'}" in error.message
    assert error.hint


def test_a_cluster_that_is_down_is_named(use: Use, api: ApiServerDouble):
    use({"token": "x"})
    api.close()
    assert "does not answer" in refused().message


def test_a_service_that_is_down_is_named_with_the_place_that_names_it(use: Use, tmp_path: Path):
    use({"token": "x"}, address="http://127.0.0.1:9")
    message = refused().message
    assert message.startswith("the platform does not answer at http://127.0.0.1:9, where")
    assert str(tmp_path) in message


@pytest.mark.parametrize(
    ("connection", "sentence"),
    [
        ({"address": "http://platform.example.org"}, "where a token would travel in the open"),
        ({"address": "platform.example.org"}, "where a token would travel in the open"),
        ({}, "names no address, and no service and port"),
        ({"service": "ml-platform", "port": "http"}, "names no address, and no service and port"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(
    use: Use, connection: dict[str, str], sentence: str
):
    use({"token": "x"}, **connection)
    error = refused()
    assert isinstance(error, WorkError)
    assert sentence in error.message


def test_a_certificate_of_a_private_authority_is_checked_against_the_one_the_cluster_names(
    use: Use, tmp_path: Path
):
    with https_service(tmp_path) as (address, authority):
        use({"token": "x"}, address=address)
        assert "does not answer" in refused().message
        use({"token": "x"}, address=address, **{"ca.crt": authority})
        with PlatformClient() as client:
            assert client.me().user == ADA


def test_an_unknown_context_is_named(use: Use, monkeypatch: pytest.MonkeyPatch):
    use({"token": "x"})
    monkeypatch.setenv("ML_PLATFORM_CONTEXT", "other")
    error = refused()
    assert error.message.startswith("context other of ")
    assert "kubectl" in str(error.hint)


def test_the_service_is_reached_through_the_api_server(
    shared_service: Service, tmp_path: Path, api: ApiServerDouble, monkeypatch: pytest.MonkeyPatch
):
    forward = PortForwardDouble(int(shared_service.url.rpartition(":")[2]))
    api.url = forward.url
    path = api.kubeconfig(tmp_path, {"token": token_of_ada(shared_service)})
    monkeypatch.setenv("KUBECONFIG", str(path))
    try:
        with PlatformClient() as client:
            assert client.me().user == ADA
            job = client.submit_job("tiny", "v1", team=TEAM, parameters={"text": "x" * 50_000})
            assert job.view.spec.parameters["text"] == "x" * 50_000
            assert client.way == (
                "a port-forward to Service ml-platform/ml-platform of the current context of "
                f"{path}"
            )
        assert forward.opened >= 1
        forward.ready = False
        error = refused()
        assert isinstance(error, ServiceUnavailableError)
        assert error.message == "Service ml-platform/ml-platform has no pod that is ready"
    finally:
        forward.close()


def test_the_first_way_that_there_is_decides(
    use: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def way(server: str | None = None) -> str:
        return way_to_service(Settings(), server, None).described()

    assert way() == "http://127.0.0.1:7008, this machine"
    use({"token": "x"}, address="https://of-the-cluster.example.org")
    assert way().startswith("https://of-the-cluster.example.org, which ConfigMap")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token.json").write_text(json.dumps({"token": "t" * 20, "user": ADA}))
    assert way() == "http://127.0.0.1:7008, this machine"
    monkeypatch.setenv("ML_PLATFORM_CONTEXT", "test")
    assert way().startswith("https://of-the-cluster.example.org, which ConfigMap")
    monkeypatch.setenv("ML_PLATFORM_SERVER", "https://named.example.org/")
    assert way() == "https://named.example.org, which ML_PLATFORM_SERVER names"
    assert way("https://given.example.org") == "https://given.example.org, as given"
