"""A port-forward leaves no connection behind, whichever end goes first."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import psutil
import pytest
from kubernetes.client import ApiClient, Configuration
from port_forward_double import PortForwardDouble
from ray_fixture import eventually

from ml_platform.cluster.port_forward import PortForward


@pytest.fixture
def greeter() -> Iterator[int]:
    """The port of a server that greets, and goes when it is greeted or left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    there, _ = listener.accept()
                except OSError:
                    return
                with there:
                    there.sendall(b"hello")
                    there.recv(16)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.fixture
def double(greeter: int) -> Iterator[PortForwardDouble]:
    double = PortForwardDouble(greeter)
    yield double
    double.close()


@pytest.fixture
def address(double: PortForwardDouble) -> Iterator[tuple[str, int]]:
    configuration = Configuration(host=double.url)
    configuration.api_key = {"authorization": "Bearer x"}
    configuration.proxy = None
    with ApiClient(configuration) as client:
        forward = PortForward(client, "ml-platform", "ml-platform", 7008)
        host, _, port = forward.start().rpartition(":")
        yield host.removeprefix("http://"), int(port)
        forward.close()


def connections(double: PortForwardDouble) -> list[str]:
    """States of this process's connections to the API server."""
    port = int(double.url.rpartition(":")[2])
    own = psutil.Process().net_connections("tcp")
    return [each.status for each in own if each.raddr and each.raddr.port == port]


@pytest.mark.parametrize("first", ["service", "caller"])
def test_no_connection_stays(double: PortForwardDouble, address: tuple[str, int], first: str):
    with socket.create_connection(address, timeout=10) as here:
        assert here.recv(5, socket.MSG_WAITALL) == b"hello"
        assert "ESTABLISHED" in connections(double)
        if first == "service":
            here.sendall(b"bye")
            assert here.recv(1) == b""
    eventually(lambda: not connections(double), 20)
