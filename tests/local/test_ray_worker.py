"""A worker of a Ray whose head comes late, as on a cluster whose head's image has to be pulled."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from ray_fixture import RayHead, eventually


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_waits_for_a_head_that_comes_minutes_later(
    tmp_path: Path, ray_head: RayHead
) -> None:
    """KubeRay is told to put no container before workers that would wait for the head (trap T23)."""
    ray_head.kill()
    usual = ray_head.environment
    # Else Ray keeps the head to loopback and wants no second node.
    ray_head.environment = {**usual, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}
    log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [*command, f"--address=127.0.0.1:{ray_head.gcs_port}"],
            env=ray_head.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        time.sleep(100)  # longer than any of Ray's clients waits: it is made again and again
        assert worker.poll() is None, log.read_text()
        ray_head.start()
        eventually(lambda: worker.poll() is not None or "runtime started" in log.read_text())
        assert worker.poll() is None, log.read_text()
    finally:
        worker.terminate()
        worker.wait(60)
        ray_head.kill()
        ray_head.environment = usual
        ray_head.start()
