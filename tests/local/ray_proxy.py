"""An HTTP server between agent and Ray, so that a test can act exactly around a submission."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


def _nothing() -> None:
    pass


class RayProxy:
    def __init__(self, target: str) -> None:
        self.before_submit: Callable[[], None] = _nothing
        self.after_submit: Callable[[], None] = _nothing
        self.forward_submits = True
        self._target = target
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.pass_on(self)

            def do_POST(self) -> None:
                if self.path != "/api/jobs/":
                    proxy.pass_on(self)
                    return
                proxy.before_submit()
                if proxy.forward_submits:
                    proxy.pass_on(self, proxy.after_submit)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def pass_on(self, request: BaseHTTPRequestHandler, then: Callable[[], None] = _nothing) -> None:
        content = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        kept = ("Authorization", "Content-Type")
        try:
            answer = httpx.request(
                request.command,
                self._target + request.path,
                content=content,
                headers={name: request.headers[name] for name in kept if name in request.headers},
                timeout=60,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            request.send_error(502, str(error))
            return
        then()
        try:
            request.send_response(answer.status_code)
            request.send_header("Content-Length", str(len(answer.content)))
            request.end_headers()
            request.wfile.write(answer.content)
        except OSError:  # the agent was killed on purpose
            request.close_connection = True


@contextmanager
def ray_proxy(target: str) -> Iterator[RayProxy]:
    proxy = RayProxy(target)
    thread = threading.Thread(target=proxy.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()
