"""A service of its own for a benchmark: own state folder, own port, one small image."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ml_platform.build.local import build_image
from ml_platform.service.auth import write_token_file
from ml_platform.settings import Settings

WORKLOAD = """\
name: bench_workload
title: Benchmark
description: Ends at once.
owner: group:default/platform
system: benchmark
entrypoint: [python, start.py]
environments:
  main: {requirements: requirements.txt}
"""


@dataclass(frozen=True)
class Service:
    url: str
    token: str
    settings: Settings


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def build_small_image(settings: Settings, folder: Path, code: str) -> None:
    """An image with the packages of the platform that runs `code`, as `bench_workload:v1`."""
    source = folder / "bench_workload"
    source.mkdir()
    (source / "workload.yaml").write_text(WORKLOAD)
    (source / "start.py").write_text(code)
    (source / "requirements.txt").write_bytes(
        (settings.root / "requirements" / "runtime.txt").read_bytes()
    )
    build_image(source, "v1", settings)


@contextmanager
def running_service(folder: Path, code: str = "", **environment: str) -> Iterator[Service]:
    """`ml-platform serve` on a free port until the block ends."""
    settings = Settings(home=folder / "home", port=free_port())
    build_small_image(settings, folder, code)
    token = write_token_file(settings.token_file, settings.local_user)
    env = {
        **os.environ,
        "ML_PLATFORM_HOME": str(settings.home),
        "ML_PLATFORM_PORT": str(settings.port),
        **environment,
    }
    command = [str(Path(sys.executable).with_name("ml-platform")), "serve"]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        _wait(settings.service_url, process, folder / "service.log")
        yield Service(settings.service_url, token, settings)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"the service did not start:\n{log.read_text()[-2000:]}")
