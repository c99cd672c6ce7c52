"""The best designs of a loop, for the official evaluator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stellar_optimization.learn.coefficients import tables
from stellar_optimization.learn.cost import Cost
from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.problems.design import Boundary
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.search.candidate import Candidate
from stellar_optimization.search.search_state import FEASIBLE


@dataclass(frozen=True)
class Finalist:
    """boundary: in the leaderboard's format; elongation: the largest, by the screening model."""

    boundary: dict[str, Any]
    elongation: float


def finalists(solved: Dataset, most: int) -> list[Finalist]:
    """Up to `most` feasible designs of the screening model, best first; similar ones count once."""
    rows = solved.part(solved.solved)
    cost = Cost(rows.metrics, rows.modes, 0.0)
    fit = cost.violation(rows.values) <= FEASIBLE
    rows, found = rows.part(fit), list[Finalist]()
    elongations = cost.merit(rows.values)  # without a penalty, as all are feasible
    for index in np.argsort(elongations, kind="stable"):
        elongation = float(elongations[index])
        if len(found) == most:
            break
        if not found or elongation - found[-1].elongation >= GEOMETRICAL.similar:
            found.append(Finalist(_boundary(rows, int(index)), elongation))
    return found


def gated(designs: Sequence[Finalist], lows: Sequence[dict[str, Any]]) -> list[Finalist]:
    """Those that high fidelity may accept, by what low fidelity said of each; unlikely ones last.

    Where it leaves none, the most promising of all: low fidelity has the last word on no job.
    """
    told = [
        (Candidate(0, 0, design.elongation, design.boundary, low=low), design)
        for design, low in zip(designs, lows, strict=True)
    ]
    left = sorted(
        (pair for pair in told if not pair[0].out_of_bounds), key=lambda pair: pair[0].unlikely
    )
    return [design for _, design in left] or list(designs[:1])


def _boundary(rows: Dataset, index: int) -> dict[str, Any]:
    r_cos, z_sin = tables(rows.inputs[index : index + 1, :-1], rows.modes)
    periods = int(rows.inputs[index, -1])
    return Boundary(r_cos[0].tolist(), z_sin[0].tolist(), periods).to_json()


def reported(designs: Sequence[Finalist], results: Sequence[dict[str, Any]]) -> Finalist | None:
    """The design that the evaluator accepted, which is the last it was asked; else the most promising."""
    if results and results[-1]["feasible"]:
        return designs[len(results) - 1]
    return designs[0] if designs else None


def official(designs: Sequence[Finalist], results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures for summary.json of the reported design; why, if it has no score."""
    figures: dict[str, Any] = {"official_score": 0.0, "published_score": GEOMETRICAL.published}
    design = reported(designs, results)
    if design is None:
        return {**figures, "no_official_score": "no search found a feasible design"}
    figures["screening_elongation"] = round(design.elongation, 6)
    last = results[-1]
    if last["feasible"]:
        return {
            **figures,
            "official_score": last["score"],
            "official_elongation": last["objective"],
            "feasibility": max(0.0, *last["violations"]),
            "evaluator": last.get("evaluator"),
        }
    why = last["error"] or f"a bound is violated by {max(last['violations']):.4f}"
    said = f"the evaluator accepted none of {len(results)} designs; the last: {why}"
    return {**figures, "no_official_score": said}
