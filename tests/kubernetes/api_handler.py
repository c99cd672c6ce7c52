"""HTTP of the API server for tests: lists in pages, watches, patches and logs."""

from __future__ import annotations

import copy
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from api_server import ApiServer

Object = dict[str, Any]


def handler_of(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        api = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.api.requests.append(f"GET {self.path}")
        if self._refused(parts.path):
            return
        if parts.path.endswith("/log"):
            self._log(parts.path.split("/")[-2], query)
        elif query.get("watch") == "true":
            self._watch(_collection(parts.path), query)
        elif (found := self._one(parts.path)) is not None:
            self._answer(200, found)
        elif _names_an_object(parts.path):
            self._answer(404, {"message": f"{parts.path} not found", "code": 404})
        else:
            self._list(_collection(parts.path), query)

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.api.requests.append(f"PATCH {self.path}")
        if self._refused(self.path):
            return
        self.api.patches.append((self.path, body))
        found = self._one(self.path)
        if found is None:
            self._answer(404, {"message": f"{self.path} not found", "code": 404})
            return
        if isinstance(body, dict):
            annotations = found["metadata"].setdefault("annotations", {})
            annotations.update(body["metadata"]["annotations"])
            self.api.put(_collection(self.path.rpartition("/")[0]), found)
        self._answer(200, found)
        self.api.on_patch(self.path, found)

    def _refused(self, path: str) -> bool:
        status = self.api.refused_paths.get(_collection(path))
        with self.api.changed:
            if status is None and self.api.refusals:
                status, message = self.api.refusals.pop(0)
            else:
                message = f"{path} is forbidden"
        if status is None:
            return False
        self._answer(status, {"kind": "Status", "message": message, "code": status})
        return True

    def _one(self, path: str) -> Object | None:
        parent, _, name = path.rpartition("/")
        namespace = _namespace(path)
        with self.api.changed:
            found = self.api.objects.get((_collection(parent), namespace, name))
            return copy.deepcopy(found) if found is not None else None

    def _list(self, collection: str, query: dict[str, str]) -> None:
        with self.api.changed:
            items = [
                item
                for (kind, _, _), item in sorted(self.api.objects.items())
                if kind == collection and _matches(item, query)
            ]
            version = str(self.api.version)
        start, limit = int(query.get("continue", 0)), int(query.get("limit", 0)) or len(items)
        metadata = {"resourceVersion": version}
        if start + limit < len(items):
            metadata["continue"] = str(start + limit)
        self._answer(200, {"metadata": metadata, "items": items[start : start + limit]})

    def _watch(self, collection: str, query: dict[str, str]) -> None:
        after = int(query["resourceVersion"])
        with self.api.changed:
            epoch = self.api.epoch
        self._begin()
        if after < self.api.compacted:
            status = {"kind": "Status", "code": 410, "message": "too old resource version"}
            self._line({"type": "ERROR", "object": status})
            self._end()
            return
        while True:
            with self.api.changed:
                found = self._news(collection, query, after)
                while not found and not self.api.stopping and self.api.epoch == epoch:
                    self.api.changed.wait(5)
                    found = self._news(collection, query, after)
                broken = self.api.stopping or self.api.epoch != epoch
            if broken:
                self.close_connection = True  # in the middle of the stream
                return
            for version, _, kind, item in found:
                self._line({"type": kind, "object": item})
                after = version

    def _news(
        self, collection: str, query: dict[str, str], after: int
    ) -> list[tuple[int, str, str, Object]]:
        return [
            event
            for event in self.api.events
            if event[0] > after
            and event[1] == collection
            and (event[2] == "BOOKMARK" or _matches(event[3], query))
        ]

    def _log(self, pod: str, query: dict[str, str]) -> None:
        if pod not in self.api.logs:
            self._answer(404, {"message": f'pods "{pod}" not found', "code": 404})
            return
        self._begin()
        with self.api.changed:
            tail = int(query.get("tailLines", 10**6))
            sent = max(0, len(self.api.logs[pod]) - tail)
        while True:
            with self.api.changed:
                lines = self.api.logs[pod][sent:]
                follows = query.get("follow") == "true" and pod not in self.api.log_ended
                if not lines and follows and not self.api.stopping:
                    self.api.changed.wait(5)
                    continue
                ended = not follows or self.api.stopping
            for line in lines:
                self._chunk(line)
            sent += len(lines)
            if ended and not lines:
                self._end()
                return

    def _answer(self, status: int, body: Object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _line(self, event: Object) -> None:
        self._chunk(json.dumps(event).encode() + b"\n")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _collection(path: str) -> str:
    """`/apis/ray.io/v1/namespaces/a/rayjobs` → `/apis/ray.io/v1/rayjobs`."""
    head, found, rest = urlsplit(path).path.partition("/namespaces/")
    return f"{head}/{rest.partition('/')[2]}" if found else head


def _namespace(path: str) -> str:
    _, found, rest = path.partition("/namespaces/")
    return rest.partition("/")[0] if found else ""


def _names_an_object(path: str) -> bool:
    return path.partition("/namespaces/")[2].count("/") == 2


def _matches(item: Object, query: dict[str, str]) -> bool:
    name, _, value = query.get("labelSelector", "").partition("=")
    if name and item["metadata"].get("labels", {}).get(name) != value:
        return False
    field, _, wanted = query.get("fieldSelector", "").partition("=")
    return not field or item.get(field) == wanted
