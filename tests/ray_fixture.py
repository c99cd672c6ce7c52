"""A real local Ray for tests. The fixture `ray_head` has it started once per session, on first use."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from ml_platform.errors import ServiceUnavailableError
from ml_platform.local.ray_head import ray_environment, ray_head_command
from ml_platform.local.ray_jobs import RayJobs

T = TypeVar("T")
START_SECONDS = 100.0
LAUNCHES = 3


def eventually(look: Callable[[], T], seconds: float = 100.0) -> T:
    """The first true answer of `look`; fails with the last one when the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"still {answer!r} after {seconds:g} s")
        time.sleep(0.02)
    return answer


class RayHead:
    """One `ray start --head`, and only what it started."""

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        self.token_file = folder / "token"
        self.token_file.write_text(self.token)
        self.token_file.chmod(0o600)
        self.cpus = cpus
        self.gcs_port, dashboard = _free_ports()
        self.address = f"http://127.0.0.1:{dashboard}"
        # As a rule Ray's workers step back for everything else; here other tests never end asking.
        niceness = {"RAY_worker_niceness": "0"}
        self.environment = ray_environment(os.environ, self.token_file) | niceness
        self._process: subprocess.Popen[bytes] | None = None

    def jobs(self) -> RayJobs:
        return RayJobs(self.address, self.token)

    def start(self) -> float:
        """Start it, wait until it can run jobs; returns the seconds that took.

        It is started again, like by `ml-platform up`, where it ends by itself: on a busy machine its raylet
        may give up waiting for the agents, and nothing sets how long it waits.
        """
        began = time.monotonic()
        client = self.jobs()
        try:
            for _ in range(LAUNCHES):
                self._launch()
                eventually(lambda: not self.running() or self._has_node(client), START_SECONDS)
                if self.running():
                    return time.monotonic() - began
                print(f"Ray ended at its start:\n{self.log()}")
        finally:
            client.close()
        pytest.fail(f"Ray does not start:\n{self.log()}")

    def _launch(self) -> None:
        with (self.folder / "ray.log").open("ab") as log:
            self._process = subprocess.Popen(
                ray_head_command(self.address, self.gcs_port, self.folder / "t", self.cpus),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _has_node(self, client: RayJobs) -> bool:
        try:
            return client.has_node()
        except ServiceUnavailableError:
            return False

    def running(self) -> bool:
        """Whether it was started and has not ended, by itself or killed."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Its last words."""
        return (self.folder / "ray.log").read_text()[-3000:]

    def processes(self) -> list[psutil.Process]:
        """All of Ray that runs now, workers included, but not jobs' own processes."""
        if self._process is None or not self.running():
            return []
        return _family(self._process.pid, stop_at="launcher")

    def kill(self) -> None:
        """kill -9 of every process of Ray; jobs' own processes are left to notice it themselves."""
        if self._process is None:
            return
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._process = None


def _family(pid: int, stop_at: str) -> list[psutil.Process]:
    """A process and its descendants, but for programs named `stop_at` and what is below them."""
    found: list[psutil.Process] = []
    pending = [psutil.Process(pid)]
    while pending:
        process = pending.pop()
        try:
            words = process.cmdline()
            if any(Path(word).name == stop_at for word in words[:4]):
                continue
            pending.extend(process.children())
        except psutil.NoSuchProcess:
            continue
        found.append(process)
    return found


def _free_ports() -> tuple[int, int]:
    """Two ports outside Ray's worker range (10002-19999); the first has a free neighbour."""
    for port in range(21000 + os.getpid() % 400 * 10, 32000, 10):
        try:
            for number in (port, port + 1, port + 2):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port, port + 2
    raise RuntimeError("no free ports between 21000 and 32000")


@pytest.fixture
def ray_head(session_ray: RayHead) -> RayHead:
    """The session's Ray; a test fails at once where an earlier one has left none."""
    if not session_ray.running():
        pytest.fail(f"an earlier test has left no Ray:\n{session_ray.log()}")
    return session_ray


@pytest.fixture(scope="session")
def session_ray() -> Iterator[RayHead]:
    # pytest's own temporary folders are too deep for Ray's sockets (107 characters).
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    head = RayHead(folder)
    try:
        seconds = head.start()
        print(f"ray start took {seconds:.1f} s")
        yield head
    finally:
        head.kill()
        shutil.rmtree(folder, ignore_errors=True)
