"""A step that a Python service runs, against a native step, in the same Backstage.

The native side is Backstage's own `debug:log`. The Python side is the bridge's example service, which
does nothing. Tasks of the two sides alternate; the clock runs from the request to the completed task.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks.report import Report, percentile
from benchmarks.service import free_port

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "backstage/plugins/scaffolder-backend-module-python-actions/example/service.py"
TASKS, BURST = 40, 100
FINAL = ("completed", "failed", "cancelled")
CONFIG = """\
catalog:
  locations:
    - type: file
      target: {root}/benchmarks/bridge_templates/*.yaml
      rules: [{{allow: [Template]}}]
pythonActions:
  services:
    - {{name: example, baseUrl: "http://127.0.0.1:{port}", audience: example}}
"""


def run() -> Report:
    """Measure one after the other, then a hundred at once of each."""
    report = Report("bridge")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _portal(Path(name)) as portal:
        for side in ("native", "python"):
            _task(portal, side)
        times: dict[str, list[float]] = {"native": [], "python": []}
        for _ in range(TASKS):
            for side, taken in times.items():
                taken.append(_task(portal, side))
        bursts = {side: _burst(portal, side) for side in times}
    for side, taken in times.items():
        report.add(f"{side}_p50_ms", median(taken) * 1000, f"{TASKS} tasks, one after the other")
        report.add(f"{side}_p95_ms", percentile(taken, 95) * 1000, "the same")
    ratio = median(times["python"]) / median(times["native"])
    report.add("ratio_to_native", ratio, "of the medians; the goal is at most 1.2")
    for side, seconds in bursts.items():
        report.add(f"{side}_burst_s", seconds, f"{BURST} tasks at once, until the last is done")
    report.add("burst_ratio", bursts["python"] / bursts["native"], "the same, compared")
    return report


@contextmanager
def _portal(folder: Path) -> Iterator[httpx.Client]:
    """A Backstage of its own with the example service behind it, signed in as its guest."""
    subprocess.run(["sh", "scripts/setup-node.sh"], cwd=ROOT, check=True)
    subprocess.run(["sh", "scripts/build-backstage.sh"], cwd=ROOT, check=True)
    port, example = free_port(), free_port()
    config = folder / "bench.yaml"
    config.write_text(CONFIG.format(root=ROOT, port=example))
    env = {**os.environ, "BACKSTAGE_PORT": str(port), "ML_PLATFORM_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        service = subprocess.Popen([sys.executable, EXAMPLE, str(example)], cwd=ROOT, stderr=log)
        script = ["sh", "scripts/start-backstage.sh", "--config", str(config)]
        backstage = subprocess.Popen(script, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as portal:
            _ready(portal, folder / "log")
            yield portal
    finally:
        for process in (backstage, service):
            process.terminate()
            process.wait(timeout=30)


def _ready(portal: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + 180
    path = "/api/catalog/entities/by-name/template/default/bench-"
    while time.monotonic() < deadline:
        try:
            answer = portal.get("/api/auth/guest/refresh").raise_for_status().json()
            token = answer["backstageIdentity"]["token"]
            portal.headers["Authorization"] = f"Bearer {token}"
            if all(portal.get(path + side).is_success for side in ("native", "python")):
                return
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        time.sleep(0.5)
    raise RuntimeError(f"Backstage did not become ready:\n{log.read_text()[-2000:]}")


def _start(portal: httpx.Client, side: str) -> str:
    body = {"templateRef": f"template:default/bench-{side}", "values": {}}
    return str(portal.post("/api/scaffolder/v2/tasks", json=body).raise_for_status().json()["id"])


def _done(portal: httpx.Client, task: str) -> bool:
    status = portal.get(f"/api/scaffolder/v2/tasks/{task}").raise_for_status().json()["status"]
    if status in FINAL and status != "completed":
        raise RuntimeError(f"the task {task} ended as {status}")
    return bool(status == "completed")


def _task(portal: httpx.Client, side: str) -> float:
    begin = time.perf_counter()
    task = _start(portal, side)
    while not _done(portal, task):
        time.sleep(0.005)
    return time.perf_counter() - begin


def _burst(portal: httpx.Client, side: str) -> float:
    begin = time.perf_counter()
    open_tasks = [_start(portal, side) for _ in range(BURST)]
    while open_tasks:
        open_tasks = [task for task in open_tasks if not _done(portal, task)]
    return time.perf_counter() - begin
