"""The whole platform, as `ml-platform up` starts it, in a folder and on ports of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from ml_platform import PlatformClient
from ml_platform.local.machine import machine
from ml_platform.local.platform_state import read_state

ROOT = Path(__file__).parents[2]
WORKLOADS = Path(__file__).parent / "workloads"
START_SECONDS = 300.0
STOP_SECONDS = 90.0

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float, what: str) -> T:
    """The first true answer of `look`; fails with `what` when the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:g} s, last {answer!r}")
        time.sleep(0.1)
    return answer


class RealPlatform:
    """Ray, service and portal with their own state; `stop` ends what `start` has started."""

    def __init__(self, home: Path) -> None:
        self.home = home
        service, ray, gcs, portal = free_ports()
        self.portal_url = f"http://127.0.0.1:{portal}"
        self.service_url = f"http://127.0.0.1:{service}"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ML_PLATFORM_")},
            "ML_PLATFORM_ROOT": str(ROOT),
            "ML_PLATFORM_HOME": str(home),
            "ML_PLATFORM_PORT": str(service),
            "ML_PLATFORM_RAY_ADDRESS": f"http://127.0.0.1:{ray}",
            "ML_PLATFORM_RAY_GCS_PORT": str(gcs),
            "ML_PLATFORM_BACKSTAGE_URL": self.portal_url,
        }
        self._up: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> str:
        """`ml-platform <words>`; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "ml_platform.cli", *words],
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"ml-platform {' '.join(words)} exits {done.returncode}:\n{done.stderr}")
        return done.stdout.strip()

    def start(self, *options: str) -> None:
        """`ml-platform up <options>`, until all of it is ready."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "ml_platform.cli", "up", *options],
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._is_ready, START_SECONDS, "the platform is ready")

    def _is_ready(self) -> bool:
        assert self._up is not None
        if self._up.poll() is not None:
            pytest.fail(f"`ml-platform up` ended with {self._up.returncode}:\n{self.log_ends()}")
        state = read_state(self.home)
        return state is not None and state.supervisor.pid == self._up.pid and state.ready

    def stop(self) -> None:
        if self._up is not None and self._up.poll() is None:
            self._up.terminate()
            self._up.wait(STOP_SECONDS)

    @contextmanager
    def without_service(self) -> Iterator[None]:
        """The service has died, and its supervisor is kept from starting it again."""
        state = read_state(self.home)
        assert state is not None and self._up is not None
        service = next(program for program in state.programs if program.name == "service")
        assert service.process is not None
        supervisor = psutil.Process(self._up.pid)
        supervisor.suspend()
        try:
            psutil.Process(service.process.pid).kill()
            yield
        finally:
            supervisor.resume()

    def client(self) -> PlatformClient:
        """The platform as the machine's owner sees it: jobs of all teams."""
        token = json.loads((self.home / "token.json").read_text())["token"]
        return PlatformClient(self.service_url, token)

    def git(self, *words: str) -> str:
        """`git <words>` in the GitOps repository."""
        command = ["git", "--git-dir", str(self.home / "gitops.git"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def submit(self, workload: str, **request: Any) -> str:
        """Start a job beside the portal; gives its id."""
        request = {"team": "stellarator-design", **request}
        with self.client() as owner:
            return owner.submit_job(workload, "v1.0.0", **request).id

    def cancel(self, job_id: str) -> None:
        with self.client() as owner:
            owner.job(job_id).cancel("the test is over")

    def cores(self) -> int:
        """How many workers with one core each fill this machine."""
        return int(machine().cpu)

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def log_ends(self, size: int = 6000) -> str:
        """The end of each program's log, for the report of a failed test."""
        return "\n".join(
            f"── {log.name}\n{log.read_bytes()[-size:].decode(errors='replace')}"
            for log in sorted(self.logs.glob("*.log"))
        )


def free_ports() -> tuple[int, int, int, int]:
    """Four ports outside Ray's worker range (10002-19999); the third has a free neighbour."""
    for port in range(23000 + os.getpid() % 800 * 10, 32000, 10):
        numbers = range(port, port + 5)
        if all(_is_free(number) for number in numbers):
            return port, port + 1, port + 2, port + 4
    raise RuntimeError("no free ports between 23000 and 32000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
