"""When would a job start? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ml_platform.cluster.interface import Capacity, Resources
from ml_platform.job import JobSpec, mebibytes
from ml_platform.pools import Pool


@dataclass(frozen=True)
class Load:
    """What the jobs of a pool's active set ask for: cores, and how many jobs there are.

    `capacity`: what the cluster's queues say of the pool, where they do.
    """

    cpu: float = 0
    jobs: int = 0
    capacity: Capacity | None = None


def expected_wait(spec: JobSpec, pool: Pool, load: Load) -> str:
    """A sentence on the wait: what is ahead, never a made-up time."""
    if not pool.local:
        return _in_queue(spec, pool, load.capacity)
    free = pool.cpu - load.cpu
    if spec.cpu * spec.workers <= free:
        return "Starts at once."
    ahead = "1 job is" if load.jobs == 1 else f"{load.jobs} jobs are"
    return f"Waits: {max(free, 0):g} of {pool.cpu:g} CPU cores are free, {ahead} ahead."


def _in_queue(spec: JobSpec, pool: Pool, capacity: Capacity | None) -> str:
    """Quota alone: a machine that is not up yet takes minutes more."""
    if capacity is None:
        return "Depends on the cluster's queue."
    need = Resources(
        cpus=spec.cpu * spec.workers,
        memory_mib=mebibytes(spec.memory) * spec.workers,
        gpus=spec.gpus * spec.workers,
    )
    what, free, total = "CPU cores", capacity.free.cpus, capacity.total.cpus
    if spec.gpus:
        what, free, total = "GPUs", capacity.free.gpus, capacity.total.gpus
    there = f"{max(free, 0):g} of {total:g} {what} of {pool.name} are free"
    return f"Can start: {there}." if capacity.free.covers(need) else f"Waits: {there}."
