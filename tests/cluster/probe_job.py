"""Jobs of the probe workload, as the platform's own renderer writes them."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from ml_platform.job import HeadResources, JobSpec, Priority
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pools, parse_pools
from ml_platform.render import Identity, render
from ml_platform.workload import load_workload

HERE = Path(__file__).resolve().parent
RUNS = RunStorage("file:///runs", "runs")


def site_pools() -> Pools:
    return parse_pools((HERE / "site" / "gitops" / "pools.yaml").read_bytes())


def probe_manifest(
    image: str,
    team: str,
    *,
    name: str = "probe",
    pool: str = "test",
    seconds: int = 3,
    fail: str = "never",
    attempts: int = 1,
    workers: int = 1,
    priority: Priority = Priority.NORMAL,
) -> dict[str, Any]:
    """A RayJob with an id of its own."""
    workload = load_workload(HERE / "probe")
    needs = workload.resources
    spec = JobSpec(
        name=name,
        team=team,
        workload=workload.name,
        version="v1",
        image=image,
        entrypoint=workload.entrypoint,
        parameters=workload.resolve_parameters({"seconds": seconds, "fail": fail}),
        pool=pool,
        workers=workers,
        cpu=needs.cpu,
        memory=needs.memory,
        gpus=needs.gpus,
        head=HeadResources(cpu=needs.head.cpu, memory=needs.head.memory),
        priority=priority,
        max_duration="15m",
        attempts=attempts,
    )
    key = secrets.token_hex(32)
    identity = Identity(f"{name}-20260101-{key[:6]}", "user:default/ada", key, "0" * 64)
    return render(spec, identity, site_pools().get(pool), RUNS)
