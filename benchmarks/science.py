"""The example's solves on one, two and many workers against bare VMEC++, and its surrogate's rows per second.

The measuring is done by the workload's own Python: STELLAR_MAIN_PYTHON, or the environment that `make
science` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[1]
WORKLOAD = ROOT / "workloads" / "stellar_optimization"
SLICE = 10  # solves, with four Jacobians, each as dear as two solves: what is kept at once
JACOBIANS = 4
# As the workload sets them: one thread per process; solving in double precision, learning in single.
LEARNING = {
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
SOLVING = {**LEARNING, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}


def run() -> Report:
    """Measure everything in one run."""
    found = {**_measured("solving", SOLVING), **_measured("learning", LEARNING)}
    report = Report("science")
    for name, what in (
        ("bare", "VMEC++ alone, one process"),
        ("model", "with shape measures, one process"),
        ("workers_1", "one Ray worker"),
        ("workers_2", "two Ray workers"),
    ):
        rate = found[f"{name}_solves_per_s_core"]
        report.add(f"{name}_solves_per_s_core", rate, f"{what}; wall time")
        report.add(f"{name}_cpu_s_per_solve", found[f"{name}_cpu_s_per_solve"], what)
    two, one = found["workers_2_solves_per_s_core"], found["workers_1_solves_per_s_core"]
    report.add("efficiency_2_wall", two / one, "two workers to one; the goal is at least 0.95")
    cpu = found["workers_1_cpu_s_per_solve"] / found["workers_2_cpu_s_per_solve"]
    report.add("efficiency_2_cpu", cpu, "the same by CPU time, for a machine with other work")
    ray = found["model_cpu_s_per_solve"] / found["workers_1_cpu_s_per_solve"]
    report.add("ray_cpu_ratio", ray, "CPU time of a solve in one process to that in a worker")
    report.add(
        f"simulated_{int(found['simulated_workers'])}_efficiency",
        found["simulated_efficiency"],
        "workers that wait instead of solving, one driver",
    )
    kept = found["keeping_cpu_s_per_slice"]
    work = (SLICE + 2 * JACOBIANS) * found["workers_1_cpu_s_per_solve"]
    report.add("keeping_cpu_ms_per_slice", 1000 * kept, "rows, metrics, checkpoint of ten solves")
    report.add(
        "overhead_percent", 100 * kept / work, "of the solves' CPU time; the goal is below 2"
    )
    for platform in ("cpu", "gpu"):
        if f"surrogate_{platform}_rows_per_s" in found:
            rate = found[f"surrogate_{platform}_rows_per_s"]
            report.add(f"surrogate_{platform}_rows_per_s", rate, "training of one network")
            share = found[f"surrogate_{platform}_utilisation"]
            report.add(
                f"surrogate_{platform}_utilisation", share, "of the device's best matrix product"
            )
    if "surrogate_gpu_rows_per_s" in found:
        ratio = found["surrogate_gpu_rows_per_s"] / found["surrogate_cpu_rows_per_s"]
        report.add("surrogate_gpu_to_cpu", ratio, "the GPU to one CPU core")
    return report


def _measured(part: str, settings: dict[str, str]) -> dict[str, float]:
    made = ROOT / ".ml-platform" / "science" / "environments" / "main" / "bin" / "python"
    python = Path(os.environ.get("STELLAR_MAIN_PYTHON", made))
    if not python.exists():
        raise SystemExit(
            f"no Python at {python}; `make science` makes it, or set STELLAR_MAIN_PYTHON"
        )
    environment = {name: text for name, text in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [python, ROOT / "benchmarks" / "science_measurements.py", part],
        cwd=WORKLOAD,
        env={
            **environment,
            **settings,
            "RAY_AUTH_MODE": "disabled",
            "PYTHONPATH": str(WORKLOAD),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
