"""Limits: what a job may ask of a pool. Pure."""

from __future__ import annotations

from ml_platform.errors import InputError
from ml_platform.job import JobSpec, mebibytes
from ml_platform.pools import Pool

MAX_SPEC_BYTES = 128 * 1024  # Kubernetes allows 256 KiB of annotations.
MAX_PARAMETER_BYTES = 64 * 1024  # Linux allows 128 KiB for one environment variable.


def check_fits(spec: JobSpec, pool: Pool) -> None:
    """Raise InputError, naming field and fix, when the pool can never run the job."""
    if spec.gpus > pool.gpus:
        have = (
            f"has {pool.gpus} GPU{'s' * (pool.gpus != 1)} per worker" if pool.gpus else "has no GPU"
        )
        raise InputError(
            f"the pool {pool.name} {have}, the job asks for {spec.gpus}",
            field="gpus",
            hint="choose a GPU pool, or a workload and preset that need none",
        )
    if spec.workers > pool.max_workers:
        raise InputError(
            f"workers must be 1-{pool.max_workers} on {pool.name}, got {spec.workers}",
            field="workers",
            hint="ask for fewer workers or choose a larger pool",
        )
    together = spec.workers if pool.local else 1
    cpu, memory = spec.cpu * together, mebibytes(spec.memory) * together
    of = f"{spec.workers} workers together" if together > 1 else "a worker"
    if cpu > pool.cpu:
        raise InputError(
            f"{of} would need {cpu:g} CPU cores, {pool.name} has {pool.cpu:g}",
            field="cpu",
            hint="lower cpu or workers",
        )
    if memory > pool.memory_mib:
        raise InputError(
            f"{of} would need {memory} MiB of memory, {pool.name} has {pool.memory_mib} MiB",
            field="memory",
            hint="lower memory or workers",
        )


def check_available(pool: Pool, *, local: bool) -> None:
    """Raise InputError when the pool's machines do not exist where the platform runs."""
    if (reason := unavailable(pool, local=local)) is not None:
        raise InputError(reason, field="pool", hint="choose the pool `laptop` here")


def unavailable(pool: Pool, *, local: bool) -> str | None:
    """Why a pool cannot be chosen where the platform runs; None when it can."""
    if local and not pool.local:
        return (
            f"the pool {pool.name} needs a cluster with {pool.title}; "
            "this platform runs on one machine"
        )
    if not local and pool.local:
        return f"the pool {pool.name} exists only where the platform runs on one machine"
    return None
