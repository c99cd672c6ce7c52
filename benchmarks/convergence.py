"""What tells designs of P1 that the official solver converges on from those that it gives up.

DESIGNS=24 of a run of `make science` (RUN=full) go to the official evaluator at both fidelities, half an
hour or more on two cores. A measure's `auc_…` is the probability that of two designs, one solved at high
fidelity and one not, the unsolved one has the larger value: 0.5 says nothing, 1 separates them.
"""

from __future__ import annotations

import json
import os
import subprocess
from itertools import product
from typing import Any

from benchmarks.report import Report
from benchmarks.science import ROOT, SOLVING, WORKLOAD

MEASURES = (
    ("axis_iota", "rotational transform per period on axis"),
    ("low_axis_iota", "the same by the evaluator at low fidelity, of those that this solves"),
    ("edge_iota", "rotational transform per period at the edge"),
    ("shear", "its rise from axis to edge"),
    ("residual", "log10 of the force left on the evaluator's first two grids"),
    ("curvature", "largest of a section, times the minor radius"),
    ("uneven_theta", "of a section, mean |dx/dtheta| over its least"),
    ("short_waves", "what the search penalises"),
    ("spectral_width", "VMEC's <M>"),
    ("elongation", "the largest, by the screening model"),
    ("low_cpu", "CPU seconds of the official low-fidelity solve"),
)
# Share of pairs, or 1 less it, from which on the border is worth saying.
TELLING = 0.85


def run() -> Report:
    """Judge the designs and say how well each measure tells."""
    found = _measured(os.environ.get("RUN", "full"), int(os.environ.get("DESIGNS", "24")))
    solved = [one for one in found if one["high_error"] is None]
    unsolved = [one for one in found if one["high_error"] is not None]
    report = Report("convergence")
    report.add("designs", len(found), "nearly feasible, of one run")
    report.add("solved_high", len(solved), "by the evaluator at high fidelity")
    report.add("solved_low", sum(one["low_error"] is None for one in found), "at low fidelity")
    both = sum(one["low_error"] is None for one in solved)
    report.add("solved_low_and_high", both, "at both")
    if not solved or not unsolved:
        raise SystemExit("nothing tells them apart: all were solved, or none; take more (DESIGNS=)")
    for name, what in MEASURES:
        bad, good = (
            [one[name] for one in part if one[name] is not None] for part in (unsolved, solved)
        )
        if bad and good:
            share = auc(bad, good)
            report.add(f"auc_{name}", share, what)
            if max(share, 1 - share) >= TELLING:
                good_end, bad_end = (max(good), min(bad)) if share > 0.5 else (min(good), max(bad))
                report.add(f"solved_until_{name}", good_end, "the last of the solved")
                report.add(f"unsolved_from_{name}", bad_end, "the first of the unsolved")
    return report


def auc(larger: list[float], smaller: list[float]) -> float:
    """Probability that one of `larger` is the larger of a pair, equal ones half (Mann and Whitney's U)."""
    pairs = list(product(larger, smaller))
    return sum((one > other) + 0.5 * (one == other) for one, other in pairs) / len(pairs)


def _measured(name: str, count: int) -> list[dict[str, Any]]:
    science = ROOT / ".ml-platform" / "science"
    main, score = (science / "environments" / e / "bin" / "python" for e in ("main", "score"))
    if not (science / name / "rows").is_dir():
        raise SystemExit(
            f"there is no run {name!r} to take designs from; `make science` makes `full`"
        )
    done = subprocess.run(
        [
            main,
            ROOT / "benchmarks" / "convergence_measurements.py",
            science / name,
            score,
            str(count),
        ],
        cwd=WORKLOAD,
        env={**os.environ, **SOLVING, "PYTHONPATH": str(WORKLOAD)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found
