"""From submit to running training code, against the bare Ray Jobs API on the same Ray.

The training code writes the time at which it began. Both sides run it with the same Python; they alternate
on an otherwise idle Ray that has run a job of each side before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import httpx
import psutil

from benchmarks.report import Report
from benchmarks.service import Service, free_port, running_service
from ml_platform.errors import ServiceUnavailableError
from ml_platform.local.ray_head import ray_environment, ray_head_command
from ml_platform.local.ray_jobs import RayJobs

RUNS = 8
START = """\
import os, pathlib, time, urllib.parse
folder = pathlib.Path(urllib.parse.urlsplit(os.environ["JOB_DIR"]).path)
folder.mkdir(parents=True, exist_ok=True)
(folder / "began").write_text(repr(time.time()))
"""


def run() -> Report:
    """Alternate the two sides and compare the medians."""
    report = Report("local_start")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sides: dict[str, list[float]] = {"ray": [], "platform": []}
        with (
            _ray(folder) as (ray, environment),
            running_service(folder, START, **environment) as service,
        ):
            for number in range(RUNS + 1):
                bare, ours = _bare(ray, folder, number), _ours(service)
                if number:  # the first of each warms up
                    sides["ray"].append(bare)
                    sides["platform"].append(ours)
    for side, taken in sides.items():
        report.add(f"{side}_p50_s", median(taken), f"{RUNS} runs, submit to running code")
        report.add(f"{side}_max_s", max(taken), "the slowest of them")
    ratio = median(sides["platform"]) / median(sides["ray"])
    report.add("ratio_to_ray", ratio, "of the medians; the goal is at most 1.3")
    return report


@contextmanager
def _ray(folder: Path) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A Ray of its own; gives a client of its Jobs API and what the service needs to find it."""
    address, gcs = f"http://127.0.0.1:{free_port()}", free_port()
    token = folder / "ray-token"
    token.write_text(uuid.uuid4().hex * 2)
    token.chmod(0o600)
    environment = ray_environment(os.environ, token)
    command = ray_head_command(address, gcs, Path(tempfile.mkdtemp(prefix="ray-")), 2)
    with (folder / "ray.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    headers = {"Authorization": f"Bearer {token.read_text()}"}
    try:
        with httpx.Client(base_url=address, headers=headers, timeout=30) as ray:
            _ready(RayJobs(address, token.read_text()), folder / "ray.log")
            yield (
                ray,
                {
                    "ML_PLATFORM_RAY_ADDRESS": address,
                    "ML_PLATFORM_RAY_GCS_PORT": str(gcs),
                    "RAY_AUTH_MODE": "token",
                    "RAY_AUTH_TOKEN_PATH": str(token),
                },
            )
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask Ray to stop; on a busy machine it may take too long, and its parts are killed."""
    parts = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for part in parts:
        with suppress(psutil.NoSuchProcess):
            part.kill()


def _ready(ray: RayJobs, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(ServiceUnavailableError):
            if ray.has_node():
                return
        time.sleep(0.2)
    raise RuntimeError(f"Ray did not start:\n{log.read_text()[-2000:]}")


def _bare(ray: httpx.Client, folder: Path, number: int) -> float:
    """Seconds from the request to the code's first line, by Ray alone."""
    job = folder / "bare" / str(number)
    script = folder / "bare.py"
    script.write_text(START)
    begin = time.time()
    submission = {
        "entrypoint": f"{sys.executable} {script}",
        "submission_id": f"bare-{number}",
        "runtime_env": {"env_vars": {"JOB_DIR": job.as_uri()}},
    }
    ray.post("/api/jobs/", json=submission).raise_for_status()
    while ray.get(f"/api/jobs/bare-{number}").json()["status"] not in ("SUCCEEDED", "FAILED"):
        time.sleep(0.1)
    return float((job / "began").read_text()) - begin


def _ours(service: Service) -> float:
    """Seconds from the request to the code's first line, through the platform."""
    headers = {"Authorization": f"Bearer {service.token}"}
    job = {"workload": "bench_workload", "version": "v1", "team": "stellarator-design"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60) as client:
        begin = time.time()
        answer = client.post(
            "/v1/actions/ml:job:submit/run",
            json={"input": job, "idempotencyKey": str(uuid.uuid4())},
        )
        job_id = json.loads(answer.text.splitlines()[-1])["output"]["job_id"]
        while not client.get(f"/v1/jobs/{job_id}").json()["state"]["final"]:
            time.sleep(0.1)
    return float((service.settings.runs_dir / job_id / "began").read_text()) - begin
