"""The small part of an API server that the service uses, as a real HTTP server on loopback.

Objects are put in and taken out by the test; lists, watches, patches and logs come over HTTP.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from api_handler import handler_of

Object = dict[str, Any]
RAY, KUEUE = "/apis/ray.io/v1", "/apis/kueue.x-k8s.io/v1beta2"
ARGOCD = "/apis/argoproj.io/v1alpha1"


class ApiServer:
    """State and faults. `collection`: a path without a namespace, such as `/api/v1/pods`."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.events: list[tuple[int, str, str, Object]] = []
        self.version = 1
        self.compacted = 0  # versions below this are forgotten
        self.refusals: list[tuple[int, str]] = []  # answers to the next requests
        self.refused_paths: dict[str, int] = {}
        self.logs: dict[str, list[bytes]] = {}
        self.log_ended: set[str] = set()
        self.requests: list[str] = []
        self.patches: list[tuple[str, Any]] = []
        self.on_patch: Callable[[str, Object], None] = lambda path, body: None
        self.epoch = 0  # streams of an earlier one are broken off
        self.stopping = False
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def kubeconfig(self, folder: Path) -> Path:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file

    def stop(self) -> None:
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # ── what a test does ────────────────────────────────────────────────────────────────────────

    def put(self, collection: str, item: Object) -> Object:
        """Add or replace an object; its version is set."""
        namespace = item["metadata"].get("namespace", "")
        key = (collection, namespace, item["metadata"]["name"])
        with self.changed:
            self.version += 1
            item = copy.deepcopy(item)
            item["metadata"]["resourceVersion"] = str(self.version)
            kind = "MODIFIED" if key in self.objects else "ADDED"
            self.objects[key] = item
            self.events.append((self.version, collection, kind, item))
            self.changed.notify_all()
        return item

    def delete(self, collection: str, namespace: str, name: str, *, silently: bool = False) -> None:
        """With `silently`, no watch hears of it."""
        with self.changed:
            self.version += 1
            item = copy.deepcopy(self.objects.pop((collection, namespace, name)))
            item["metadata"]["resourceVersion"] = str(self.version)
            if not silently:
                self.events.append((self.version, collection, "DELETED", item))
            self.changed.notify_all()

    def bookmark(self, collection: str) -> None:
        with self.changed:
            self.version += 1
            item = {"metadata": {"resourceVersion": str(self.version)}}
            self.events.append((self.version, collection, "BOOKMARK", item))
            self.changed.notify_all()

    def break_streams(self) -> None:
        with self.changed:
            self.epoch += 1
            self.changed.notify_all()

    def compact(self) -> None:
        """Forget what has happened, as etcd does: who is behind must list anew."""
        with self.changed:
            self.compacted = self.version
            self.events.clear()

    def say(self, pod: str, line: bytes, *, last: bool = False) -> None:
        with self.changed:
            self.logs.setdefault(pod, []).append(line)
            if last:
                self.log_ended.add(pod)
            self.changed.notify_all()

    def count(self, part: str) -> int:
        """How many requests had `part` in their address."""
        return sum(part in request for request in self.requests)
