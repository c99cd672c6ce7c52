"""An API server on loopback, as far as identity needs one: who tokens are of, who may do what, and
objects that are written with optimistic locking.

Paths, shapes and status codes are those of Kubernetes; tests/cluster holds the real one to the same.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from ml_platform.cluster.api_client import api_client
from ml_platform.settings import ClusterAccess

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
Answer = tuple[int, dict[str, Any]]


class ApiServerDouble:
    """`tokens`: users by token; `members`: users, groups and the namespaces they may submit in."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.audiences: list[str] | None = ["https://kubernetes.default.svc"]
        self.members: set[tuple[str, str]] = set()
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.answer_all: Answer | None = None
        self.before_write: Callable[[], None] = lambda: None
        self._version = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                path = self.path.partition("?")[0]
                outer.asked.append((self.command, path, self.headers.get("Authorization")))
                status, answer = outer.answer(self.command, path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = _serve

            def log_message(self, format: str, *args: object) -> None:
                """Silent: what was asked is in `asked`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def kubeconfig(self, folder: Path, user: dict[str, Any], context: str = "test") -> Path:
        """A kubeconfig of one context, with `user` as its credentials."""
        path = folder / f"{context}.kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": self.url}}],
            "users": [{"name": context, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def client(self, folder: Path) -> Any:
        """A Kubernetes client of this server."""
        access = ClusterAccess(kubeconfig=self.kubeconfig(folder, {"token": "service"}))
        return api_client(access)

    def count(self, path: str) -> int:
        return sum(asked == path for _, asked, _ in self.asked)

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        if self.answer_all is not None:
            return self.answer_all
        if path == TOKEN_REVIEWS:
            return 201, {**body, "status": self._reviewed(body["spec"])}
        if path == ACCESS_REVIEWS:
            return 201, {**body, "status": {"allowed": self._allowed(body["spec"])}}
        if method == "GET":
            found = self.objects.get(path)
            return (200, found) if found is not None else _status(404, "NotFound")
        self.before_write()
        with self._lock:
            return self._written(method, path, body)

    def _reviewed(self, spec: dict[str, Any]) -> dict[str, Any]:
        user = self.tokens.get(spec["token"])
        if user is None:
            return {"authenticated": False, "error": "invalid bearer token"}
        asked = spec.get("audiences")
        if asked and self.audiences is not None and not set(asked) & set(self.audiences):
            return {"authenticated": False, "error": "token audiences are invalid"}
        known = self.audiences or []
        return {
            "authenticated": True,
            "user": user,
            "audiences": [name for name in known if not asked or name in asked],
        }

    def _allowed(self, spec: dict[str, Any]) -> bool:
        wanted = spec["resourceAttributes"]
        assert (wanted["verb"], wanted["group"], wanted["resource"]) == (
            "submit",
            "ray.io",
            "rayjobs",
        )
        names = [spec["user"], *spec.get("groups", [])]
        return any((name, wanted["namespace"]) in self.members for name in names)

    def _written(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        target = path if method == "PUT" else f"{path}/{body['metadata']['name']}"
        known = self.objects.get(target)
        if method == "POST" and known is not None:
            return _status(409, "AlreadyExists")
        if method == "PUT":
            if known is None:
                return _status(404, "NotFound")
            if body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                return _status(409, "Conflict")
        self._version += 1
        written = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self._version)}}
        self.objects[target] = written
        return (201 if method == "POST" else 200), written


def _status(code: int, reason: str) -> Answer:
    return code, {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason}
