"""When would a job start? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ml_platform.job import JobSpec
from ml_platform.pools import Pool


@dataclass(frozen=True)
class Load:
    """What the jobs of a pool's active set ask for: cores, and how many jobs there are."""

    cpu: float = 0
    jobs: int = 0


def expected_wait(spec: JobSpec, pool: Pool, load: Load) -> str:
    """A sentence on the wait: what is ahead, never a made-up time."""
    free = pool.cpu - load.cpu
    if spec.cpu * spec.workers <= free or not pool.local:
        return "Starts at once." if pool.local else "Depends on the cluster's queue."
    ahead = "1 job is" if load.jobs == 1 else f"{load.jobs} jobs are"
    return f"Waits: {max(free, 0):g} of {pool.cpu:g} CPU cores are free, {ahead} ahead."
