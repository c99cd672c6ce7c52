"""What benchmarks/convergence.py measures, by the workload's own Python; one JSON object on the last line.

Run in the workload's folder with the run directory of a job of P1, the `score` environment's Python and how
many designs to take. What the evaluator said is kept in the run directory.
"""

from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import vmecpp
from stellar_optimization.learn.rows import metric_names, problem_name, read_rows
from stellar_optimization.problems.design import Boundary
from stellar_optimization.problems.evaluator import OfficialEvaluator
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.search.screening import TERMS

AT_ONCE = 2
HIGH_LIMIT = 240.0  # CPU seconds; what it solves takes about half at most
NEARLY_FEASIBLE = 0.05
ALIKE = 0.003  # of the major radius
# The first two of the evaluator's three grids at high fidelity (vmec_settings of constellaration 0.2.6).
SURFACES, TOLERANCE, ITERATIONS, TIME_STEP, MODES = (25, 51), 1e-17, 2000, 0.5, 10
THETA, SECTIONS = 256, 12
NAMES = [f"elongation_{number:02d}" for number in range(TERMS)] + GEOMETRICAL.quantities


def designs(run: str, count: int) -> list[dict[str, Any]]:
    """Designs that a job solved and that nearly keep their bounds, evenly over its modes and its time."""
    by_modes: dict[int, list[dict[str, Any]]] = {}
    for table in read_rows(run):
        if problem_name(table) != GEOMETRICAL.name:
            raise SystemExit(
                f"{run} solved {problem_name(table)}; this is about {GEOMETRICAL.name}"
            )
        names = metric_names(table)
        for row in table.to_pylist():
            values = [row[name] for name in names]
            if row["solved"] and GEOMETRICAL.violation(values[TERMS:]) <= NEARLY_FEASIBLE:
                by_modes.setdefault(row["modes"], []).append({**row, "all": values})
    chosen = []
    for left, (_, rows) in zip(range(len(by_modes), 0, -1), sorted(by_modes.items()), strict=True):
        rows.sort(key=lambda row: (row["stage"], row["solve"], row["search"]))
        different = distinct(rows)
        share = min((count - len(chosen)) // left, len(different))
        places = np.linspace(0, len(different) - 1, share).round().astype(int)
        chosen += [different[place] for place in places]
    return distinct(chosen)  # a stage begins with the design that the one before it ended with


def distinct(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that differ from all before them by more than ALIKE in some coefficient."""
    kept: list[dict[str, Any]] = []
    for row in rows:
        if all(np.max(np.abs(_padded(row) - _padded(other))) > ALIKE for other in kept):
            kept.append(row)
    return kept


def _padded(row: dict[str, Any]) -> np.ndarray:
    """`tables` with as many modes as any design has."""
    modes, wide = row["modes"], np.zeros((2, MODES, 2 * MODES + 1))
    wide[:, : modes + 1, MODES - modes : MODES + modes + 1] = tables(row)
    return wide


def tables(row: dict[str, Any]) -> np.ndarray:
    """(2, modes + 1, 2 modes + 1) over R_00."""
    shape = (row["modes"] + 1, 2 * row["modes"] + 1)
    both = np.array([np.reshape(row["r_cos"], shape), np.reshape(row["z_sin"], shape)])
    return both / both[0, 0, row["modes"]]


def shape_measures(row: dict[str, Any]) -> dict[str, float]:
    """What a boundary's coefficients alone say; lengths over the major radius but for `curvature`.

    short_waves: root of the sum of ((m^2 + n^2) c)^2 but for the first modes, as the search penalises it;
    spectral_width: VMEC's <M> with p = 4 and q = 1; curvature: the largest of a section, times the
    minor radius; uneven_theta: of a section, the mean of |dx / dtheta| over its least.
    """
    both, modes, periods = tables(row), row["modes"], row["n_field_periods"]
    m = np.arange(modes + 1)[:, None]
    n = np.arange(-modes, modes + 1)[None]
    power = np.sum(both**2, axis=0)
    high = (m + abs(n)) > 1
    short = np.sqrt(np.sum(((m**2 + n**2) ** 2 * power)[high]))
    width = np.sum(m**5 * power) / np.sum(m**4 * power)
    theta = np.linspace(0, 2 * np.pi, THETA, endpoint=False)
    phi = np.linspace(0, np.pi / periods, SECTIONS)
    angle = (
        m[:, :, None, None] * theta[:, None] - periods * n[..., None, None] * phi
    )  # m, n, theta, phi

    def derivative(table: np.ndarray, order: int, *, sine: bool) -> np.ndarray:
        # cos, then sin for the derivative of odd order, with their signs.
        shifted = angle + (order - (1 if sine else 0)) * np.pi / 2
        return np.einsum("mn,mntp->tp", table * m**order, np.cos(shifted))

    r1, r2 = (derivative(both[0], order, sine=False) for order in (1, 2))
    z1, z2 = (derivative(both[1], order, sine=True) for order in (1, 2))
    speed = np.hypot(r1, z1)
    aspect = row["all"][NAMES.index("aspect_ratio")]
    curvature = np.max(np.abs(r1 * z2 - z1 * r2) / speed**3) / aspect
    return {
        "short_waves": float(short),
        "spectral_width": float(width),
        "curvature": float(curvature),
        "uneven_theta": float(np.max(speed.mean(axis=0) / speed.min(axis=0))),
    }


def first_grids(row: dict[str, Any]) -> dict[str, float]:
    """What VMEC++ has on the evaluator's first two grids: log10 of the force residual that is left, and the
    rotational transform per field period on axis, and its rise from there to the edge."""
    settings = vmecpp.VmecInput()
    settings.nfp, settings.mpol, settings.ntor = row["n_field_periods"], MODES, MODES
    settings.ns_array = np.array(SURFACES)
    settings.ftol_array = np.full(len(SURFACES), TOLERANCE)
    settings.niter_array = np.full(len(SURFACES), ITERATIONS)
    settings.ncurr, settings.delt, settings.phiedge = 1, TIME_STEP, -0.1
    settings.return_outputs_even_if_not_converged = True
    settings.raxis_c, settings.zaxis_s = np.zeros(MODES + 1), np.zeros(MODES + 1)
    settings.raxis_c[0] = 1.0
    settings.rbc, settings.zbs = _padded(row)
    wout = vmecpp.run(settings, max_threads=1, verbose=False).wout
    transform = np.array(wout.iotaf) / row["n_field_periods"]
    return {
        "residual": float(np.log10(wout.fsqr + wout.fsqz + wout.fsql)),
        "axis_iota": float(transform[0]),
        "shear": float(transform[-1] - transform[0]),
    }


def answers(
    row: dict[str, Any], evaluators: SimpleQueue[OfficialEvaluator], kept: Path
) -> dict[str, Any]:
    """What the official evaluator says of a design; kept, so that who is interrupted goes on."""
    shape = (row["modes"] + 1, 2 * row["modes"] + 1)
    r_cos, z_sin = (np.reshape(row[name], shape).tolist() for name in ("r_cos", "z_sin"))
    boundary = Boundary(r_cos, z_sin, row["n_field_periods"]).to_json()
    asked = json.dumps([boundary, HIGH_LIMIT])
    key = hashlib.sha256(asked.encode()).hexdigest()
    for line in kept.read_text().splitlines() if kept.exists() else []:
        with suppress(ValueError):  # a line that was cut off
            if (known := json.loads(line)).get("asked") == key:
                return dict(known)
    evaluator = evaluators.get()
    try:
        low, high = (evaluator.score(boundary, fidelity) for fidelity in ("low", "high"))
    finally:
        evaluators.put(evaluator)
    if "evaluator crashed" in (low["error"], high["error"]):
        raise SystemExit("the evaluator crashed: score a stored design by hand to see why")
    found = {
        "asked": key,
        "low_error": low["error"],
        "low_cpu": low["cpu_seconds"],
        "low_axis_iota": (low.get("metrics") or {}).get(
            "axis_rotational_transform_over_n_field_periods"
        ),
        "high_error": high["error"],
        "high_cpu": high["cpu_seconds"],
    }
    with kept.open("a") as file:
        file.write(json.dumps(found) + "\n")
    return found


def judged(
    row: dict[str, Any], evaluators: SimpleQueue[OfficialEvaluator], kept: Path
) -> dict[str, Any]:
    """A design with its measures and the official answers; says so."""
    official = answers(row, evaluators, kept)
    values = dict(zip(NAMES, row["all"], strict=True))
    found = {
        "search": row["search"],
        "solve": row["solve"],
        "modes": row["modes"],
        "elongation": max(row["all"][:TERMS]),
        "edge_iota": values["iota_per_period"],
        **shape_measures(row),
        **first_grids(row),
        **official,
    }
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def main() -> None:
    run, python, count = sys.argv[1:]
    kept = Path(run) / "convergence.jsonl"
    rows = designs(Path(run).as_uri(), int(count))
    evaluators: SimpleQueue[OfficialEvaluator] = SimpleQueue()
    for _ in range(AT_ONCE):
        evaluators.put(OfficialEvaluator(Path(python), HIGH_LIMIT))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda row: judged(row, evaluators, kept), rows))
    for _ in range(AT_ONCE):
        evaluators.get().close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
