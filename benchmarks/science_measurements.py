"""What benchmarks/science.py measures, by the workload's own Python; one JSON object on the last line.

Run in the workload's folder with `solving` or `learning`. CPU seconds are measured beside wall time: on a
shared machine only they say what work costs. `bare` and the workers solve the same boundaries in turns.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np
import ray
import vmecpp
from stellar_optimization.learn import network
from stellar_optimization.learn.coefficients import free_modes
from stellar_optimization.learn.recorder import Place, Recorder
from stellar_optimization.physics.equilibrium import vmec_input
from stellar_optimization.problems.design import load_design
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.screening import ScreeningModel

MODES, SOLVES, TURNS = 2, 8, 3
SIMULATED, SLICES, SLICE_SECONDS = 32, 4, 2.0
ROWS, FEATURE_MODES, METRICS, WIDTH, BATCH = 4096, 4, 15, 192, 64


def boundaries(model: ScreeningModel, count: int) -> list[np.ndarray]:
    """The stored coarse design, a little disturbed; all of them have an equilibrium."""
    x = model.variables(load_design("coarse").boundary)
    random = np.random.default_rng(0)
    return [x + 0.002 * random.normal(size=x.size) for _ in range(count)]


class Solver:
    """One process's model: solves and says how long that took."""

    def __init__(self) -> None:
        self._model = ScreeningModel(load_design("coarse").boundary.n_field_periods, MODES)
        self._points = boundaries(self._model, SOLVES)
        self._model.evaluate(self._points[0])  # compiles

    def solve(self) -> tuple[int, float]:
        """Equilibria found, CPU seconds."""
        cpu = time.process_time()
        found = [self._model.evaluate(point) for point in self._points]
        return sum(f is not None for f in found), time.process_time() - cpu

    def bare(self) -> tuple[int, float]:
        """The same boundaries by VMEC++'s own command, without shape measures or JAX."""
        mpol = ntor = MODES + self._model.problem.extra_modes
        cpu, found = time.process_time(), 0
        for point in self._points:
            r_cos, z_sin = self._model.coefficients(point)
            settings = vmec_input(self._model.periods, mpol, ntor)
            settings.rbc, settings.zbs = r_cos, z_sin
            settings.raxis_c[0] = 1.0
            found += vmecpp.run(settings, max_threads=1, verbose=False) is not None
        return found, time.process_time() - cpu


def solving() -> dict[str, float]:
    """Solves per second and core: bare VMEC++, the model in this process, one and two workers."""
    here = Solver()
    remote = ray.remote(num_cpus=1)(Solver)
    workers = [remote.remote() for _ in range(2)]
    ray.get([worker.solve.remote() for worker in workers])
    taken: dict[str, list[tuple[float, float]]] = {}
    for _ in range(TURNS):
        _take(taken, "bare", here.bare)
        _take(taken, "model", here.solve)
        for count in (1, 2):
            began = time.monotonic()
            answers = ray.get([worker.solve.remote() for worker in workers[:count]])
            solves, cpu = sum(a[0] for a in answers), sum(a[1] for a in answers)
            each = (time.monotonic() - began) * count / solves, cpu / solves
            taken.setdefault(f"workers_{count}", []).append(each)
    figures = {}
    for name, each in taken.items():
        figures[f"{name}_solves_per_s_core"] = 1 / median(wall for wall, _ in each)
        figures[f"{name}_cpu_s_per_solve"] = median(cpu for _, cpu in each)
    for worker in workers:
        ray.kill(worker)
    return figures


def _take(taken: dict[str, list[tuple[float, float]]], name: str, call: Any) -> None:
    began = time.monotonic()
    solves, cpu = call()
    taken.setdefault(name, []).append(((time.monotonic() - began) / solves, cpu / solves))


def canned_slice(number: int, jacobians: int) -> dict[str, Any]:
    """What a worker returns for ten solves of four modes, the dearest to write down."""
    size = (FEATURE_MODES + 1) * (2 * FEATURE_MODES + 1)
    random = np.random.default_rng(number)
    rows = [
        {
            "solve": 10 * number + i + 1,
            "n_field_periods": 3,
            "modes": FEATURE_MODES,
            "r_cos": random.normal(size=size).tolist(),
            "z_sin": random.normal(size=size).tolist(),
            "values": random.normal(size=METRICS).tolist(),
            "jacobian": random.normal(size=2 * size * METRICS).tolist() if i < jacobians else None,
        }
        for i in range(10)
    ]
    names = [f"metric_{i}" for i in range(METRICS)]
    return {"rows": rows, "late_jacobians": {}, "metrics": names}


def keeping(folder: Path) -> dict[str, float]:
    """CPU seconds that a slice's rows, metrics and checkpoint cost the driver."""
    files = RunDirectory(folder.as_uri(), 0)
    recorder, held = Recorder(files, "geometrical"), None
    state = {"searches": [{"journal": ["x" * 12000] * 10}, {"journal": ["x" * 12000] * 10}]}
    slices = [canned_slice(number, 4) for number in range(31)]
    recorder.slice(Place("first", "first", 0, 0), 0, None, slices.pop())  # imports
    cpu = time.process_time()
    for number, one in enumerate(slices):
        held = recorder.slice(Place("000", "000", 0, 0), number, held, one)
        files.write_metrics({"step": number, "time": 0.0, "elongation": 1.0})
        files.write_checkpoint(number, state)
    return {"keeping_cpu_s_per_slice": (time.process_time() - cpu) / len(slices)}


def simulated(folder: Path) -> dict[str, float]:
    """How busy one driver keeps SIMULATED workers that wait instead of solving; threads of one process."""

    @ray.remote(num_cpus=0, max_concurrency=SIMULATED)
    class Waiting:
        def __init__(self) -> None:
            self._slice = canned_slice(0, 4)

        def advance(self) -> dict[str, Any]:
            time.sleep(SLICE_SECONDS)
            return self._slice

    files = RunDirectory(folder.as_uri(), 0)
    recorder = Recorder(files, "geometrical")
    workers = Waiting.remote()
    ray.get(workers.advance.remote())
    began = time.monotonic()
    tasks = {workers.advance.remote(): (index, 0) for index in range(SIMULATED)}
    while tasks:
        done, _ = ray.wait(list(tasks))
        for reference in done:
            index, number = tasks.pop(reference)
            place = Place(f"{index:03d}", f"{index:03d}", 0, index)
            recorder.slice(place, number, None, ray.get(reference))
            files.write_metrics({"step": number, "time": 0.0})
            if number + 1 < SLICES:
                tasks[workers.advance.remote()] = (index, number + 1)
    return {
        "simulated_workers": SIMULATED,
        "simulated_efficiency": SLICES * SLICE_SECONDS / (time.monotonic() - began),
    }


def learning(platform: str) -> dict[str, float]:
    """Rows per second of one member's training, and the share of this device's own best matrix product."""
    device = jax.devices(platform)[0]
    random = np.random.default_rng(0)
    features = 2 * len(free_modes(FEATURE_MODES)[0]) + 1

    def columns(rows: int) -> dict[str, np.ndarray]:
        return {"inputs": (0.1 * random.normal(size=(rows, features))).astype(np.float32)}

    train = columns(ROWS)
    train["targets"] = random.normal(size=(ROWS, METRICS)).astype(np.float32)
    train["solved"], train["fold"] = np.ones(ROWS, np.float32), np.arange(ROWS) % 5
    slopes = columns(ROWS // 4)
    slopes["slopes"] = random.normal(size=(ROWS // 4, METRICS, features)).astype(np.float32)
    slopes["size"], slopes["fold"] = np.float32(1.0), np.arange(ROWS // 4) % 5
    sections = 6 * network.PLANES
    frozen = {
        "input_mean": np.zeros(features, np.float32),
        "input_deviation": np.ones(features, np.float32),
        "section_mean": np.zeros(sections, np.float32),
        "section_deviation": np.ones(sections, np.float32),
    }
    shape = network.Shape(features, FEATURE_MODES, METRICS, WIDTH, BATCH, 100, 5)
    with jax.default_device(device):
        data = jax.device_put({"train": train, "slopes": slopes, "frozen": frozen}, device)
        state = jax.device_put(network.state_of(shape, 0), device)
        state = jax.block_until_ready(network.advance(state, data, shape, 1))  # compiles
        began, cpu, epochs = time.monotonic(), time.process_time(), 5
        jax.block_until_ready(network.advance(state, data, shape, epochs))
        wall, used = time.monotonic() - began, time.process_time() - cpu
        best = _matrix_product(device)
    clock = used if platform == "cpu" else wall
    rate = epochs * ROWS / clock
    return {
        f"surrogate_{platform}_rows_per_s": rate,
        f"surrogate_{platform}_utilisation": rate * _operations(features, sections) / best,
    }


def _operations(features: int, sections: int) -> float:
    """Multiplications and additions of one row in a training step.

    Forward and back is three times forward; a row with a slope, as many as rows here, is pushed forward
    along its direction too, which doubles it. The sections' maps are counted, elementwise functions are not.
    """
    sizes = [features + sections, *[WIDTH] * network.LAYERS, 2 * METRICS + 1]
    layers = 2 * sum(a * b for a, b in itertools.pairwise(sizes))
    maps = 3 * features * network.PLANES * 32
    return 3 * (layers + maps) + 6 * (layers + maps)


def _matrix_product(device: Any) -> float:
    """Operations per second of a large product in the type that the network uses: by CPU time on a CPU."""
    size = 2048 if device.platform == "cpu" else 8192
    kind = network.matrix_type() if device.platform != "cpu" else np.float32
    a = jax.device_put(np.ones((size, size), np.float32), device).astype(kind)
    product = jax.jit(lambda x: x @ x)
    jax.block_until_ready(product(a))
    began, cpu = time.monotonic(), time.process_time()
    jax.block_until_ready(product(a))
    used = time.process_time() - cpu if device.platform == "cpu" else time.monotonic() - began
    return 2 * size**3 / used


def main(part: str) -> None:
    """Solving on a Ray of its own; learning on every kind of device that JAX finds."""
    if part == "learning":
        kinds = {"cpu", jax.default_backend()}
        print(json.dumps({k: v for kind in sorted(kinds) for k, v in learning(kind).items()}))
        return
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as name:
        figures = {**solving(), **keeping(Path(name) / "a"), **simulated(Path(name) / "b")}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1])
