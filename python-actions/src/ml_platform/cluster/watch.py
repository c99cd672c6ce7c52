"""A list that is kept up to date: listed once, then watched, and listed anew when need be."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter, Gauge

from ml_platform.cluster.api import KubernetesApi, Stream
from ml_platform.cluster.fields import count, entries, mapping, text
from ml_platform.errors import ClusterError

log = logging.getLogger(__name__)
Object = dict[str, Any]
Changed = Callable[[str, Object | None, Object | None], None]
PAGE = 500
# An API server ends a watch after this time, and says so; one that is longer silent is broken.
WATCH_SECONDS, SILENCE_SECONDS = 60, 75.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# A restarted API server refuses for some seconds what it will allow: only a longer refusal is told.
PATIENCE_SECONDS = 10.0
SETTLED_SECONDS = 5.0
TRIES_TO_RESUME = 4
GONE = 410

watch_up = Gauge("ml_platform_watch_up", "Whether a watch is open", ["cluster", "resource"])
restarts = Counter(
    "ml_platform_watch_restarts_total",
    "Watches that broke off, by what was done: resumed, or listed anew",
    ["cluster", "resource", "how"],
)


@dataclass(frozen=True)
class Resource:
    """What is watched. `trim` gives what is kept of an object; None for one of no interest."""

    name: str
    path: str
    trim: Callable[[Object], Object | None]
    query: dict[str, str | int] = field(default_factory=dict)


class Watch:
    """Runs in a thread between `start` and `stop`. `changed(key, before, now)` hears of each
    change, in that thread; keys are `<namespace>/<name>`."""

    def __init__(self, api: KubernetesApi, resource: Resource, changed: Changed) -> None:
        self._api = api
        self.resource = resource
        self._changed = changed
        self._objects: dict[str, Object] = {}
        self._versions: dict[str, str] = {}
        self._version = ""  # where the watch goes on; empty when everything has to be listed
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"watch-{resource.name}", daemon=True
        )
        self.listed = threading.Event()
        self._down_since: float | None = time.monotonic()
        self.error = "it has not been answered yet"
        self._up = watch_up.labels(api.name, resource.name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(timeout=10)

    def get(self, key: str) -> Object | None:
        return self._objects.get(key)

    def items(self) -> dict[str, Object]:
        with self._lock:
            return dict(self._objects)

    def down_seconds(self) -> float:
        """For how long nothing has been heard; 0 while the watch is open."""
        since = self._down_since
        return 0.0 if since is None else time.monotonic() - since

    def _run(self) -> None:
        pause, failures = FIRST_PAUSE_SECONDS, 0
        while not self._stop.is_set():
            began = time.monotonic()
            failure = self._turn()
            if time.monotonic() - began > SETTLED_SECONDS:
                pause, failures = FIRST_PAUSE_SECONDS, 0
                if failure is None:
                    continue
            if self._stop.is_set():
                break
            failures += 1
            if failures % TRIES_TO_RESUME == 0:  # a server that was restored knows other versions
                self._version = ""
            if failure is not None:
                self._note(failure, pause)
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._up.set(0)

    def _turn(self) -> ClusterError | None:
        """List if need be, watch until the server ends it; gives what went wrong."""
        try:
            if not self._version:
                self._version = self._list()
            self._watch()
        except ClusterError as error:
            if error.status == GONE:
                self._version = ""
            return error
        except Exception as error:  # an object of a shape that nobody expected
            log.exception("the watch of %s in %s", self.resource.name, self._api.name)
            self._version = ""
            return ClusterError(str(error))
        return None

    def _note(self, error: ClusterError, pause: float) -> None:
        self.error = str(error)
        self._up.set(0)
        if self._down_since is None:
            self._down_since = time.monotonic()
        how = "resumed" if self._version else "listed anew"
        restarts.labels(self._api.name, self.resource.name, how).inc()
        loud = self.down_seconds() > PATIENCE_SECONDS
        log.log(
            logging.WARNING if loud else logging.INFO,
            "the watch of %s broke off (again in %.1f s): %s",
            self.resource.name,
            pause,
            error,
        )

    def _list(self) -> str:
        """Take over everything that there is; gives the version to watch from."""
        found: dict[str, Object] = {}
        query: dict[str, str | int] = {**self.resource.query, "limit": PAGE}
        while True:
            page = self._api.get(self.resource.path, **query)
            for item in entries(page, "items"):
                found[_key(item)] = item
            token = text(page, "metadata", "continue")
            if not token:
                break
            query["continue"] = token
        for key in set(self.items()) - set(found):
            self._take(key, None)
        for key, item in found.items():
            self._take(key, item)
        self.listed.set()
        return text(page, "metadata", "resourceVersion")

    def _watch(self) -> None:
        """Follow changes until the server ends the watch."""
        query = {**self.resource.query, "resourceVersion": self._version}
        with self._api.stream(
            self.resource.path,
            silence=SILENCE_SECONDS,
            watch="true",
            allowWatchBookmarks="true",
            timeoutSeconds=WATCH_SECONDS,
            **query,
        ) as stream:
            self._stream = stream
            self._down_since, self.error = None, ""
            self._up.set(1)
            for line in stream.lines():
                self._version = self._event(line) or self._version

    def _event(self, line: bytes) -> str:
        try:
            event = json.loads(line)
        except ValueError as error:
            raise ClusterError(f"{self._api.name}: a line is not JSON: {error}") from error
        kind, item = text(event, "type"), mapping(event, "object")
        if kind == "ERROR":
            message = text(item, "message") or "the watch was ended with an error"
            raise ClusterError(f"{self._api.name}: {message}", status=count(item, "code"))
        if kind != "BOOKMARK":
            self._take(_key(item), None if kind == "DELETED" else item)
        return text(item, "metadata", "resourceVersion")

    def _take(self, key: str, item: Object | None) -> None:
        version = text(item, "metadata", "resourceVersion")
        if item is not None and self._versions.get(key) == version:
            return
        now = self.resource.trim(item) if item is not None else None
        with self._lock:
            before = self._objects.pop(key, None)
            self._versions.pop(key, None)
            if now is not None:
                self._objects[key], self._versions[key] = now, version
        if now != before:
            self._changed(key, before, now)


def _key(item: Object) -> str:
    return f"{text(item, 'metadata', 'namespace')}/{text(item, 'metadata', 'name')}"
