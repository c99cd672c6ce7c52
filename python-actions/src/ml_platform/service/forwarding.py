"""Calls to a replica that does not commit, passed on to the one that does.

So every call finds the same journal: what a caller has just submitted is there when they ask for it,
and a cursor stays valid whichever replica the balancer chooses. While the one that commits cannot be
reached, reads are answered from here and writes are refused for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

import httpx

from ml_platform.errors import ServiceUnavailableError
from ml_platform.service.asgi import Asgi, Receive, Scope, Send
from ml_platform.service.error_answer import error_answer
from ml_platform.service.leader import Leader

# What a replica says about itself.
OWN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
READS = frozenset({"GET", "HEAD"})
_FORWARDED = b"x-ml-platform-forwarded"
# Of one connection, not of the message; and what the server of this replica writes itself.
_DROPPED = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"host", b"date", b"server"}
)


_SILENT = ServiceUnavailableError(
    "the replica of the service that commits does not answer", hint="try again in some seconds"
)


def forwarding_client() -> httpx.AsyncClient:
    """No limit to reading: logs are followed for hours. Nor to connections: a few streams must not
    keep others waiting."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(5.0, read=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        trust_env=False,
    )


class Forwarding:
    """In front of the routes, behind the check of identity: strangers are not passed on."""

    def __init__(
        self, app: Asgi, leader: Leader, http: httpx.AsyncClient, catch_up: Callable[[], None]
    ) -> None:
        self._app = app
        self._leader = leader
        self._http = http
        self._catch_up = catch_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = self._elsewhere(scope)
        if address is None:
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        try:
            async with self._asked(address, scope, body) as answer:
                await _passed_on(answer, receive, send)
        except httpx.TransportError:
            if scope["method"] not in READS:
                await error_answer(_SILENT)(scope, receive, send)
                return
            # What the other one has committed just before must be there, or callers think it lost.
            await asyncio.to_thread(self._catch_up)
            await self._app(scope, _again(body, receive), send)

    def _elsewhere(self, scope: Scope) -> str | None:
        if scope["type"] != "http" or scope["path"] in OWN_PATHS:
            return None
        if any(name == _FORWARDED for name, _ in scope["headers"]):
            return None  # two replicas that each think it is the other
        return self._leader.address()

    @contextlib.asynccontextmanager
    async def _asked(
        self, address: str, scope: Scope, body: bytes
    ) -> AsyncIterator[httpx.Response]:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        headers = [pair for pair in scope["headers"] if pair[0] not in _DROPPED]
        async with self._http.stream(
            scope["method"],
            address.rstrip("/") + path,
            headers=[*headers, (_FORWARDED, b"1")],
            content=body,
        ) as answer:
            yield answer


async def _body(receive: Receive) -> bytes:
    """All of it: the check before this one has bounded it."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The request as it was, for the routes here."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _passed_on(answer: httpx.Response, receive: Receive, send: Send) -> None:
    """The answer piece by piece, until it ends or the caller is gone."""
    headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _DROPPED]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    copying = asyncio.create_task(_copy(answer, send))
    leaving = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait({copying, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone = leaving.done() and not copying.done()
        copying.cancel()
        leaving.cancel()
        ends = await asyncio.gather(copying, leaving, return_exceptions=True)
    if isinstance(ends[0], Exception) and not gone:
        raise ends[0]  # a break in the middle is one here too


async def _copy(answer: httpx.Response, send: Send) -> None:
    async for piece in answer.aiter_raw():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
