"""Whether starts of one kind beat those of another, and how sure that is."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

SAMPLES = 2000
COLD, PROPOSED, ARCHIVED = "cold", "proposed", "archived"


def wins(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Share of all pairs in which ours is smaller; equal ones count half, and so do two without result."""
    scores = [1.0 if a < b else 0.5 if a == b else 0.0 for a in ours for b in theirs]
    return sum(scores) / len(scores)


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """95 % interval of `wins`, by drawing starts of both kinds anew (bootstrap, seed 0)."""
    random = np.random.default_rng(0)
    drawn = [
        wins(random.choice(ours, len(ours)).tolist(), random.choice(theirs, len(theirs)).tolist())
        for _ in range(SAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def compare(finals: dict[str, list[float]]) -> dict[str, Any]:
    """Figures of the proposed starts against each other kind; finals: best merits per arm."""
    figures: dict[str, Any] = {}
    for arm, merits in finals.items():
        solved = sorted(m for m in merits if math.isfinite(m))
        figures[f"{arm}_starts"] = len(merits)
        figures[f"{arm}_without_equilibrium"] = len(merits) - len(solved)
        if solved:
            low, middle, high = np.quantile(solved, [0.25, 0.5, 0.75])
            figures[f"{arm}_merit_median"] = round(float(middle), 4)
            figures[f"{arm}_merit_quartiles"] = [round(float(low), 4), round(float(high), 4)]
    for other in (COLD, ARCHIVED):
        if finals.get(PROPOSED) and finals.get(other):
            low, high = interval(finals[PROPOSED], finals[other])
            name = "proposed_wins" if other == COLD else f"proposed_wins_over_{other}"
            figures[name] = round(wins(finals[PROPOSED], finals[other]), 4)
            figures[f"{name}_interval"] = [round(low, 4), round(high, 4)]
    return figures


def verdict(figures: dict[str, Any]) -> str:
    """In words, for the results page; it says so when proposals do not help."""
    lines = []
    for other, name in (
        ("cold starts", "proposed_wins"),
        ("the best designs found before", "proposed_wins_over_archived"),
    ):
        if name in figures:
            low, high = figures[f"{name}_interval"]
            said = (
                "do better than"
                if low > 0.5
                else "do worse than"
                if high < 0.5
                else "are not shown to differ from"
            )
            lines.append(
                f"proposed starts {said} {other}: {figures[name]:.0%} of pairs won"
                f" (95 % interval {low:.0%} to {high:.0%})"
            )
    return "; ".join(lines)
