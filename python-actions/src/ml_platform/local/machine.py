"""The size of this machine: what the pool `laptop` offers."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import psutil

from ml_platform.pools import Machine

# Left to Ray's own processes, the service, Backstage and whoever sits at the machine.
RESERVED_MEMORY_MIB = 2048


@cache
def machine() -> Machine:
    """Usable cores, memory and NVIDIA GPUs; read once."""
    total = psutil.virtual_memory().total // 2**20
    return Machine(
        cpu=float(_cores()), memory_mib=max(1024, int(total) - RESERVED_MEMORY_MIB), gpus=_gpus()
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run(
            [program, "--list-gpus"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
