"""A port on loopback whose connections the API server carries to a ready pod of a Service."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from kubernetes.client import ApiClient, ApiException, CoreV1Api
from kubernetes.stream import portforward
from urllib3.exceptions import HTTPError

from ml_platform.errors import MlPlatformError, ServiceUnavailableError

log = logging.getLogger(__name__)
_TIMEOUT = (5.0, 15.0)
_PIECE = 1 << 16
# The client library itself waits three seconds for the other end's goodbye.
_GOODBYE, _LOOK = 5.0, 0.1


class PortForward:
    """`start` opens the port, `close` ends it with every connection. `trouble`: why the last
    connection could not be carried, in words."""

    def __init__(self, client: ApiClient, namespace: str, service: str, port: int) -> None:
        self.service = service
        self.trouble: str | None = None
        self._client = client
        self._namespace = namespace
        self._port = port
        self._listener = socket.socket()

    def start(self) -> str:
        """The address of the port."""
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        threading.Thread(target=self._accept, name="port-forward", daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        with suppress(OSError):  # wakes the thread that waits for connections
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(here,), daemon=True).start()

    def _carry(self, here: socket.socket) -> None:
        with here:
            try:
                forward, port = self._opened()
            except MlPlatformError as error:
                self.trouble = error.message
                return
            self.trouble = None
            there = forward.socket(port)
            back = threading.Thread(target=_copy, args=(there, here), daemon=True)
            back.start()
            _copy(here, there)
            back.join()
            there.close()
        _end(forward.websocket)

    def _opened(self) -> tuple[Any, int]:
        """A connection to a pod of the service, and the pod's port. Each has a client of its own:
        opening one swaps the client's way to call for a moment, which another thread must not
        see."""
        try:
            with ApiClient(self._client.configuration) as client:
                api = CoreV1Api(client)
                pod, port = self._pod(api)
                forward: Any = portforward(
                    api.connect_get_namespaced_pod_portforward,
                    pod,
                    self._namespace,
                    ports=str(port),
                )
        except ApiException as error:
            reason = str(error.reason).partition(" -+-+- ")[0]  # without the answer's headers
            raise ServiceUnavailableError(
                f"the cluster lets nobody through to Service {self._namespace}/{self.service}: "
                f"{error.status or ''} {reason}".replace(":  ", ": ")
            ) from error
        except (HTTPError, OSError) as error:
            raise ServiceUnavailableError(
                f"the cluster does not answer: {type(error).__name__}"
            ) from error
        return forward, port

    def _pod(self, api: CoreV1Api) -> tuple[str, int]:
        """A ready pod behind the service, and the port that it listens on."""
        # Read as Any: the client's types know of no field that is always there.
        service: Any = api.read_namespaced_service(
            self.service, self._namespace, _request_timeout=_TIMEOUT
        )
        selector = ",".join(f"{name}={value}" for name, value in service.spec.selector.items())
        ports = [port for port in service.spec.ports if port.port == self._port]
        pods: list[Any] = api.list_namespaced_pod(
            self._namespace, label_selector=selector, _request_timeout=_TIMEOUT
        ).items
        ready = [pod for pod in pods if _is_ready(pod)]
        if not ports or not ready:
            lacking = f"port {self._port}" if not ports else "pod that is ready"
            raise ServiceUnavailableError(
                f"Service {self._namespace}/{self.service} has no {lacking}"
            )
        target = ports[0].target_port or self._port
        return ready[0].metadata.name, _number(ready[0], target)


def _is_ready(pod: Any) -> bool:
    if pod.metadata.deletion_timestamp is not None:
        return False
    conditions = pod.status.conditions or []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def _number(pod: Any, target: int | str) -> int:
    """A service's target port may be the name of a container's port."""
    if str(target).isdecimal():
        return int(target)
    for container in pod.spec.containers:
        for port in container.ports or []:
            if port.name == target:
                return int(port.container_port)
    raise ServiceUnavailableError(f"pod {pod.metadata.name} has no port {target!r}")


def _end(websocket: Any) -> None:
    """The client library ends the connection when this side goes first. When the API server has
    said goodbye before, its `close` does nothing, and the connection stays."""
    last = time.monotonic() + _GOODBYE
    while websocket.sock is not None and time.monotonic() < last:
        time.sleep(_LOOK)  # the library's thread tells nobody that it has ended
    websocket.shutdown()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until the source ends; then the target hears of it."""
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
