"""What the search minimises, for many boundaries at once: merit of the geometrical problem plus roughness."""

from dataclasses import dataclass

import numpy as np

from stellar_optimization.learn.coefficients import feature_scale, free_modes
from stellar_optimization.problems.geometrical import MAX_ASPECT, MAX_TRIANGULARITY, MIN_IOTA
from stellar_optimization.search.search_state import FEASIBLE

INFEASIBLE_WEIGHT = 10.0  # as in the search
# Metric, its limit, and the sign of too much of it.
BOUNDS = (
    ("aspect_ratio", MAX_ASPECT, 1.0),
    ("triangularity", MAX_TRIANGULARITY, 1.0),
    ("iota_per_period", MIN_IOTA, -1.0),
)
SECTION = "elongation_"  # how the metrics of the cross-sections begin


@dataclass(frozen=True)
class Cost:
    """metrics: names; modes: of the inputs' coefficients; weight: of roughness, as in the search."""

    metrics: list[str]
    modes: int
    weight: float

    def __call__(self, values: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """(...,) of metrics (..., metrics) and inputs (rows, features)."""
        m, n = free_modes(self.modes)
        spectrum = np.tile(np.where(m + abs(n) > 1, m**2 + n**2, 0), 2) * feature_scale(self.modes)
        rough: np.ndarray = np.sum((spectrum * inputs[:, :-1]) ** 2, axis=-1)
        return self.merit(values) + self.weight * rough

    def merit(self, values: np.ndarray) -> np.ndarray:
        """Largest elongation, plus a penalty where bounds are violated."""
        sections = [i for i, name in enumerate(self.metrics) if name.startswith(SECTION)]
        worst = values[..., sections].max(-1)
        excess = np.maximum(self.violation(values) - FEASIBLE, 0.0)
        merits: np.ndarray = worst + INFEASIBLE_WEIGHT * excess
        return merits

    def violation(self, values: np.ndarray) -> np.ndarray:
        """Largest normalised violation of a bound; negative inside."""
        excesses = [
            sign * (values[..., self.metrics.index(name)] - limit) / abs(limit)
            for name, limit, sign in BOUNDS
        ]
        violations: np.ndarray = np.max(np.stack(excesses), axis=0)
        return violations
