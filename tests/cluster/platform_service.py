"""The platform's service and portal as processes beside the test cluster, as their pods would be.

The service uses the account, and so the rights, that `gitops/platform/ml-platform` ships.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from testbed.cluster import Cluster
from testbed.waiting import wait_until

from ml_platform import PlatformClient
from ml_platform.job_handle import Job
from ml_platform.local.portal_form import Portal

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).parent / "probe"
VERSION = "v1"
RUNS_IN_PODS = "file:///runs"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def command(*words: str, environment: Mapping[str, str]) -> str:
    """`ml-platform <words>`; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "ml_platform.cli", *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(
            f"ml-platform {' '.join(words)} exits {done.returncode}:\n{done.stderr}"
        )
    return done.stdout.strip()


class PlatformService:
    """`ml-platform serve` with a state folder of its own; `start` before use, `stop` after it."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        self.cluster, self.home = cluster, home
        account = cluster.kubeconfig_of("ml-platform", "ml-platform")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.portal_url = f"http://127.0.0.1:{free_port()}"
        self.log = home / "service.log"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ML_PLATFORM_")},
            "ML_PLATFORM_ROOT": str(ROOT),
            "ML_PLATFORM_HOME": str(home),
            "ML_PLATFORM_PORT": self.url.rpartition(":")[2],
            "ML_PLATFORM_BACKSTAGE_URL": self.portal_url,
            "ML_PLATFORM_CLUSTERS": json.dumps(
                [{"name": "in-cluster", "kubeconfig": str(account)}]
            ),
            "ML_PLATFORM_ARGOCD": json.dumps({"kubeconfig": str(account)}),
            "ML_PLATFORM_GITOPS_REPOSITORY": str(cluster.repository.path),
            "ML_PLATFORM_RUNS_DIR": str(cluster.runs),
            "ML_PLATFORM_RUNS_URI": RUNS_IN_PODS,
            "ML_PLATFORM_RUNS_CLAIM": "runs",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def running(self) -> bool:
        process = self._processes.get("service")
        return process is not None and process.poll() is None

    def start(self) -> None:
        self._launch("service", [sys.executable, "-m", "ml_platform.cli", "serve"])
        self.wait_ready()

    def wait_ready(self) -> None:
        wait_until(
            lambda: self._answers(f"{self.url}/readyz", "service"),
            "the service is ready",
            90,
            explain=self.tail,
        )

    def start_portal(self) -> None:
        """Backstage in front of the service; it has to be built."""
        self._environment["BACKSTAGE_PORT"] = self.portal_url.rpartition(":")[2]
        self._environment["ML_PLATFORM_URL"] = self.url
        self._launch("portal", ["sh", str(ROOT / "scripts" / "start-backstage.sh")])
        ready = f"{self.portal_url}/.backstage/health/v1/readiness"
        wait_until(
            lambda: self._answers(ready, "portal"),
            "the portal is ready",
            120,
            explain=lambda: self.tail("portal"),
        )

    def kill(self) -> None:
        """kill -9 of the service."""
        self._processes["service"].kill()
        self._processes.pop("service").wait()

    def end_service(self) -> None:
        """As an operator ends it, so that it gives its Lease back; the portal stays."""
        self._processes["service"].send_signal(signal.SIGTERM)
        self._processes["service"].wait(30)
        self._processes.pop("service")

    def stop(self) -> None:
        if "client" in self.__dict__:
            self.client.close()
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deaf = []
        for name, process in self._processes.items():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                deaf.append(f"the {name} did not end within 30 s\n{self.tail(name)}")
        self._processes.clear()
        if deaf:
            raise AssertionError("\n".join(deaf))

    def record_probe(self) -> None:
        """Let `probe:v1` stand for the image that the cluster has."""
        self.command("build", "probe", VERSION, "--path", str(PROBE), "--image", self.cluster.image)

    def command(self, *words: str) -> str:
        """`ml-platform <words>` against this service; its standard output."""
        return command(*words, environment=self._environment)

    @property
    def token(self) -> str:
        """Of the machine's owner."""
        return str(json.loads((self.home / "token.json").read_text())["token"])

    @property
    def pid(self) -> int:
        return self._processes["service"].pid

    @cached_property
    def client(self) -> PlatformClient:
        """Python's view of the service, as the machine's owner; closed by `stop`."""
        return PlatformClient(self.url, self.token)

    def submit(self, team: str, **request: Any) -> Job:
        """A job of the probe; `request` as for `PlatformClient.submit_job`."""
        fields = {"pool": "test", "workers": 1, "attempts": 1, **request}
        return self.client.submit_job("probe", VERSION, team=team, **fields)

    def portal(self) -> Portal:
        """The portal, signed in to as its guest."""
        portal = Portal(self.portal_url)
        portal.sign_in()
        return portal

    def tail(self, name: str = "service") -> str:
        log = self.home / f"{name}.log"
        return f"--- {log}\n{log.read_text(errors='replace')[-6000:]}" if log.exists() else ""

    def _launch(self, name: str, command: list[str]) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env=self._environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )

    def _answers(self, url: str, name: str) -> bool:
        if self._processes[name].poll() is not None:
            raise AssertionError(f"the {name} has ended\n{self.tail(name)}")
        try:
            return httpx.get(url, timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False
