"""Calls that meet the end of a replica are told to come again."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from backstage_double import BackstageDouble
from service_world import ADA, GROUPS, Service, settings_in

from ml_platform.service.app import create_app
from ml_platform.service.ending import Ending


def _is_asked_to_come_again(status: int, headers: httpx.Headers, body: bytes) -> bool:
    error = json.loads(body)["error"]
    told = (status, error["name"], error["retryable"], headers["connection"])
    return told == (503, "ServiceUnavailableError", True, "close")


def test_a_call_that_is_under_way_at_the_end_is_to_come_again(tmp_path: Path):
    backstage = BackstageDouble()
    service = Service(settings_in(tmp_path, backstage.url), backstage)
    service.start()
    token = backstage.token_of(ADA, *GROUPS[ADA])
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as half:
        head = (
            f"POST /v1/actions/ml:job:submit/run HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n"
        )
        half.sendall(head.encode() + b'{"input":')  # and no more: the call waits for the rest
        # Answers of another connection say that the service has long read what came before.
        with httpx.Client(base_url=service.url) as other:
            for _ in range(3):
                assert other.get("/healthz").status_code == 200
        service.stop()
        text = b""
        while piece := half.recv(65536):
            text += piece
    backstage.close()
    first, _, body = text.partition(b"\r\n\r\n")
    status, *lines = first.decode().splitlines()
    headers = httpx.Headers([tuple(line.split(": ", 1)) for line in lines])
    assert _is_asked_to_come_again(int(status.split()[1]), headers, body), text


@pytest.mark.parametrize("path", ["/v1/me", "/readyz", "/metrics"])
def test_a_call_after_the_end_is_to_come_again(tmp_path: Path, path: str):
    app = create_app(settings_in(tmp_path, "http://127.0.0.1:9"))

    async def call() -> httpx.Response:
        async with app.router.lifespan_context(app):
            pass
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://service"
        ) as client:
            return await client.get(path)

    answer = asyncio.run(call())
    assert _is_asked_to_come_again(answer.status_code, answer.headers, answer.content)


@pytest.mark.parametrize("ends", [True, False])
def test_a_failure_is_the_ends_only_when_there_is_one(ends: bool):
    async def call() -> httpx.Response:
        over = asyncio.Event()

        async def failing(scope: Any, receive: Any, send: Any) -> None:
            if ends:
                over.set()
            raise RuntimeError("closed")

        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(Ending(failing, over)), base_url="http://service"
        ) as client:
            return await client.get("/v1/me")

    if not ends:
        with pytest.raises(RuntimeError, match="closed"):
            asyncio.run(call())
        return
    answer = asyncio.run(call())
    assert _is_asked_to_come_again(answer.status_code, answer.headers, answer.content)
