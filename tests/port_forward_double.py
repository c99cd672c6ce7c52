"""An API server's port-forward on loopback: one Service, one pod, and bytes through a WebSocket.

Channels and their first frames are those of the protocol `v4.channel.k8s.io`: an even channel for a
port's data and an odd one for its errors, each opened with the port's number, low byte first.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from aiohttp import WSMsgType, web

PORTS = {"name": "http", "port": 7008, "targetPort": "http"}


class PortForwardDouble:
    """Carries connections to `port` on loopback. `ready`: whether the pod is."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ready = True
        self.opened = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._started.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        base = "/api/v1/namespaces/ml-platform"
        app.router.add_get(f"{base}/configmaps/connection", self._connection)
        app.router.add_get(f"{base}/services/ml-platform", self._service)
        app.router.add_get(f"{base}/pods", self._pods)
        app.router.add_get(f"{base}/pods/one/portforward", self._forward)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._started.set()

    async def _connection(self, _: web.Request) -> web.Response:
        data = {"service": "ml-platform", "port": "7008"}
        return web.json_response({"kind": "ConfigMap", "metadata": {}, "data": data})

    async def _service(self, _: web.Request) -> web.Response:
        spec = {"selector": {"app": "ml-platform"}, "ports": [PORTS]}
        return web.json_response({"kind": "Service", "metadata": {}, "spec": spec})

    async def _pods(self, request: web.Request) -> web.Response:
        assert request.query["labelSelector"] == "app=ml-platform"
        container = {"name": "service", "ports": [{"name": "http", "containerPort": self.port}]}
        pod = {
            "metadata": {"name": "one"},
            "spec": {"containers": [container]},
            "status": {"conditions": [{"type": "Ready", "status": str(self.ready)}]},
        }
        return web.json_response({"kind": "PodList", "metadata": {}, "items": [pod]})

    async def _forward(self, request: web.Request) -> web.WebSocketResponse:
        assert request.headers["Authorization"].startswith("Bearer ")
        port = int(request.query["ports"])
        self.opened += 1
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        for channel in (0, 1):
            await socket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_carry_back(reader, socket))
        async for message in socket:
            if message.type == WSMsgType.BINARY and message.data[0] == 0:
                writer.write(message.data[1:])
                await writer.drain()
        writer.close()
        back.cancel()
        return socket


async def _carry_back(reader: asyncio.StreamReader, socket: Any) -> None:
    while piece := await reader.read(65536):
        await socket.send_bytes(b"\0" + piece)
    await socket.close()
