"""The service as others meet it: uvicorn on loopback over a real repository, with a Backstage."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pygit2
import uvicorn
from backstage_double import BackstageDouble

from ml_platform.service.app import create_app
from ml_platform.service.auth import write_token_file
from ml_platform.service.leader import Leader
from ml_platform.service.platform import Platform
from ml_platform.settings import Settings

TEAM, OTHER_TEAM = "stellarator-design", "edge-plasma"
ADA, EVE = "user:default/ada", "user:default/eve"
GROUPS = {ADA: (f"group:default/{TEAM}",), EVE: (f"group:default/{OTHER_TEAM}",)}
DIGEST = "5e" * 32
WORKLOAD = """\
name: tiny
title: Tiny
description: Takes any text.
owner: group:default/team
system: tests
entrypoint: [python, -m, tiny]
environments:
  main: {requirements: requirements.txt}
resources: {cpu: 0.1, memory: 64Mi, gpus: 0}
parameters:
  type: object
  additionalProperties: false
  properties:
    text: {type: string, default: ""}
    count: {type: integer, minimum: -9007199254740992}
    ratio: {type: number}
    flag: {type: boolean}
    items: {type: array}
    table: {type: object}
presets:
  quick: {title: Quick, parameters: {count: 3}, workers: 1, max_duration: 10m}
metrics:
  loss:
    title: Loss
    goal: minimize
    reference:
      - {value: 0.25, label: three, when: {count: 3}}
      - {value: 0.5, label: empty, when: {text: ""}}
headline: loss
"""
REQUEST = {"workload": "tiny", "version": "v1", "team": TEAM, "name": "job"}


def settings_in(folder: Path, backstage_url: str = "http://127.0.0.1:9") -> Settings:
    """A checkout's gitops files and an image of the workload `tiny`, all below `folder`."""
    source = Path(__file__).parents[1] / "gitops"
    for name in ("pools.yaml", "teams"):
        target = folder / "gitops" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copy(source / name, target)
    settings = Settings(
        root=folder, home=folder / "state", backstage_url=backstage_url, agent=False
    )
    image = settings.images_dir / f"sha256-{DIGEST}"
    (image / "code").mkdir(parents=True, exist_ok=True)
    (image / "code" / "workload.yaml").write_text(WORKLOAD)
    facts = {
        "workload": "tiny",
        "version": "v1",
        "digest": f"sha256:{DIGEST}",
        "reference": f"registry.ml-platform.local/workloads/tiny@sha256:{DIGEST}",
        "built_at": "2026-01-01T00:00:00Z",
        "size_bytes": 1,
        "python": "3.11",
        "environments": {},
    }
    (image / "image.json").write_text(json.dumps(facts))
    tag = {"digest": f"sha256:{DIGEST}", "at": "2026-01-01T00:00:00Z"}
    (settings.images_dir / "tags.json").write_text(json.dumps({"tiny/v1": tag}))
    return settings


def files_of(repository: Path) -> dict[str, str]:
    """Path → blob id of everything on `main`, read without our code."""
    repo = pygit2.Repository(str(repository))
    index = pygit2.Index()
    index.read_tree(repo.references["refs/heads/main"].peel(pygit2.Tree))
    return {entry.path: str(entry.id) for entry in index}


def content_of(repository: Path, path: str, commit: str = "refs/heads/main") -> bytes:
    repo = pygit2.Repository(str(repository))
    return bytes(repo.revparse_single(commit).peel(pygit2.Tree)[path].data)


class Service:
    """A running service; `client` gives an HTTP client with a user's identity."""

    def __init__(
        self,
        settings: Settings,
        backstage: BackstageDouble,
        leader: Leader | None = None,
        port: int = 0,
    ) -> None:
        self.settings = settings
        self.backstage = backstage
        self.local_token = write_token_file(settings.token_file, settings.local_user)
        self.platform = Platform(settings, leader)
        self.app = create_app(settings, self.platform)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self.app,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._clients: list[httpx.Client] = []
        self._of_user: dict[str, httpx.Client] = {}

    def start(self) -> None:
        self._thread.start()
        with httpx.Client(transport=httpx.HTTPTransport(retries=10), timeout=30) as client:
            client.get(f"{self.url}/healthz").raise_for_status()

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self._server.should_exit = True
        self._thread.join(timeout=30)
        self._socket.close()

    @property
    def git(self) -> Path:
        return self.settings.gitops_repository

    def client_with(self, token: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers["Content-Type"] = "application/json"
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        self._clients.append(client)
        return client

    def client(self, user: str = ADA) -> httpx.Client:
        if user not in self._of_user:
            token = self.backstage.token_of(user, *GROUPS.get(user, ()))
            self._of_user[user] = self.client_with(token)
        return self._of_user[user]

    def run(
        self, action: str, body: Any, key: str | None = None, *, user: str = ADA, dry: bool = False
    ) -> list[dict[str, Any]]:
        """Lines of the answer; an error before the stream as its only line."""
        request: dict[str, Any] = {"input": body, "dryRun": dry}
        if key is not None:
            request["idempotencyKey"] = key
        response = self.client(user).post(
            f"/v1/actions/{action}/run", content=json.dumps(request).encode()
        )
        if response.status_code != 200:
            return [{"type": "error", **response.json(), "status": response.status_code}]
        return [json.loads(line) for line in response.text.splitlines()]

    def submit(self, key: str, *, user: str = ADA, **changes: Any) -> dict[str, Any]:
        """The last line of a submission of `REQUEST` with changes."""
        return self.run("ml:job:submit", {**REQUEST, **changes}, key, user=user)[-1]

    def submitted(self, key: str, *, user: str = ADA, **changes: Any) -> dict[str, Any]:
        """The output of a submission that succeeds."""
        line = self.submit(key, user=user, **changes)
        assert line["type"] == "output", line
        return dict(line["output"])

    def cancel(self, job_id: str, *, user: str = ADA) -> dict[str, Any]:
        return self.run("ml:job:cancel", {"job_id": job_id}, f"cancel-{job_id}", user=user)[-1]


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    backstage = BackstageDouble()
    service = Service(settings_in(folder, backstage.url), backstage)
    try:
        service.start()
        yield service
    finally:
        service.stop()
        backstage.close()
