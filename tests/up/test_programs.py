"""What `up` would start, and what it refuses to start over."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from ml_platform.errors import ConflictError
from ml_platform.local.programs import (
    check_ports,
    platform_programs,
    ray_folder,
    ray_token_file,
)
from ml_platform.service.auth import LocalToken, write_token_file
from ml_platform.settings import ArgoCd, Settings, WorkloadCluster


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Settings(root=tmp_path, home=tmp_path / "state", port=port, ray_gcs_port=27979)


def test_the_service_gets_the_same_settings_and_rays_token(settings: Settings) -> None:
    ray, service, backstage = platform_programs(settings, portal=True)
    assert service.environment["ML_PLATFORM_HOME"] == str(settings.state_dir)
    assert service.environment["RAY_AUTH_MODE"] == "token"
    assert ray.environment["RAY_AUTH_TOKEN_PATH"] == str(settings.state_dir / "ray-token")
    assert "RAY_AUTH_TOKEN_PATH" not in backstage.environment
    assert [p.name for p in platform_programs(settings, portal=False)] == ["ray", "service"]


def test_with_clusters_no_ray_is_started_here(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"clusters": (WorkloadCluster(name="gpu"),)})
    service, backstage = platform_programs(elsewhere, portal=True)
    assert (service.name, backstage.name) == ("service", "backstage")
    assert "RAY_AUTH_TOKEN_PATH" not in service.environment
    assert service.environment["ML_PLATFORM_CLUSTERS"] == '[{"name": "gpu"}]'
    with socket.create_server(("127.0.0.1", elsewhere.ray_gcs_port)):
        check_ports([service], elsewhere)


def test_every_setting_reaches_the_service(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "audience": "other",
        "trusted_plugins": ("one", "two"),
        "image_registry": "registry.example.org/jobs",
        "agent": False,
        "local_user": "user:default/ada",
        "clusters": (WorkloadCluster(name="one", kubeconfig=Path("/kube/config")),),
        "argocd": ArgoCd(context="management"),
        "runs_claim": "runs",
    }
    asked = settings.model_copy(update=changes)
    (service,) = platform_programs(asked, portal=False)
    for name in list(os.environ):
        if name.startswith("ML_PLATFORM_"):
            monkeypatch.delenv(name)
    for name, value in service.environment.items():
        if name.startswith("ML_PLATFORM_"):
            monkeypatch.setenv(name, value)
    assert Settings() == asked


def test_the_token_stands_for_the_user_that_is_set_now(settings: Settings) -> None:
    token = write_token_file(settings.token_file, "user:default/guest")
    assert write_token_file(settings.token_file, "user:default/ada") == token
    assert LocalToken.from_file(settings.token_file) == LocalToken(token, "user:default/ada")
    settings.token_file.write_text("[]")
    assert write_token_file(settings.token_file, "user:default/ada") != token


def test_tokens_are_kept_and_for_the_owner_only(settings: Settings) -> None:
    platform_programs(settings, portal=False)
    before = (settings.token_file.read_text(), ray_token_file(settings).read_text())
    platform_programs(settings, portal=False)
    assert (settings.token_file.read_text(), ray_token_file(settings).read_text()) == before
    for path in (settings.token_file, ray_token_file(settings)):
        assert path.stat().st_mode & 0o777 == 0o600


def test_rays_folder_is_short_for_a_long_state_folder(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, home=tmp_path / ("long" * 20))
    folder = ray_folder(settings)
    assert len(str(folder)) <= 40
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    folder.parent.rmdir()


def test_ray_may_open_its_folder_and_is_started_again_behind_a_closed_one(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, home=tmp_path / ("long" * 20))
    folder = ray_folder(settings)
    folder.mkdir()
    for opened in (folder, folder.parent):
        opened.chmod(0o777)  # what Ray does to the folder that it is given
    assert ray_folder(settings) == folder
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    folder.rmdir()
    folder.parent.rmdir()


def test_a_taken_port_is_named_with_its_holder_and_the_setting(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.port)):
        programs = platform_programs(settings, portal=False)
        sentence = rf"port {settings.port}, wanted by service, is taken by .*ML_PLATFORM_PORT"
        with pytest.raises(ConflictError, match=sentence):
            check_ports(programs, settings)


def test_a_taken_port_is_found_where_the_system_names_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    programs = platform_programs(settings, portal=False)
    with (
        socket.create_server(("127.0.0.1", settings.port)),
        pytest.raises(ConflictError, match="is taken by another program"),
    ):
        check_ports(programs, settings)


@contextmanager
def _answering(status: int, body: str) -> Iterator[int]:
    """A server that answers everything so, on the port that is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "ready"),
    [
        (200, '{"data": {"summary": [{"raylet": {"state": "ALIVE"}}]}}', True),
        (200, '{"data": {"summary": [{"raylet": {"state": "DEAD"}}, {}]}}', False),
        (200, '{"data": {}}', False),
        (200, "<html>", False),
        (200, '{"data": null}', False),
        (404, "no such page yet", False),
        (500, "", False),
    ],
)
def test_ray_is_ready_once_it_has_a_node(
    settings: Settings, status: int, body: str, ready: bool
) -> None:
    """Its API answers before, and also where the node's start has failed."""
    with _answering(status, body) as port:
        address = {"ray_address": f"http://127.0.0.1:{port}"}
        ray, _ = platform_programs(settings.model_copy(update=address), portal=False)
        assert ray.ready() is ready
    assert not ray.ready()
