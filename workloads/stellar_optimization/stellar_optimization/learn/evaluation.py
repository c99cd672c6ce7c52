"""How good a surrogate is on designs it has never seen the relatives of."""

from typing import Any

import numpy as np

from stellar_optimization.learn.cost import SECTION
from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.learn.surrogate import Surrogate

SIGMAS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0])


def evaluate(surrogate: Surrogate, held_out: Dataset) -> dict[str, Any]:
    """Per metric R2, RMSE (physical units), coverage within 1 and 2 sigma and the whole curve; then `solved`.

    R2 is 1 - squared error / variance of the held-out values: 0 is what their mean would get, below is worse.
    """
    rows = held_out.part(held_out.solved)
    predicted = surrogate.predict(rows.inputs)
    means = surrogate.scaling.values(predicted.mean)
    distances = abs(surrogate.scaling.targets(rows.values) - predicted.mean) / predicted.deviation
    metrics = {}
    sections = [i for i, name in enumerate(surrogate.metrics) if name.startswith(SECTION)]
    if sections:  # the problem's objective is the largest of them
        worst = rows.values[:, sections].argmax(1)
        row = np.arange(len(worst))
        metrics["largest_elongation"] = _figures(
            rows.values[:, sections][row, worst],
            means[:, sections].max(1),
            distances[:, sections][row, worst],
        )
    for index, name in enumerate(surrogate.metrics):
        metrics[name] = _figures(rows.values[:, index], means[:, index], distances[:, index])
    return {
        "rows": len(held_out.solved),
        "metrics": metrics,
        "solved": _solved(
            held_out.solved,
            surrogate.predict(held_out.inputs).solved,
            float(held_out.solved.mean()),
        ),
    }


def headline(evaluation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures worth a table: without the single cross-sections."""
    metrics = evaluation["metrics"]
    return {name: figures for name, figures in metrics.items() if not name.startswith(SECTION)}


def _figures(true: np.ndarray, mean: np.ndarray, distance: np.ndarray) -> dict[str, Any]:
    squared = float(np.mean((true - mean) ** 2))
    curve = [float(np.mean(distance <= sigma)) for sigma in SIGMAS]
    return {
        "r2": 1 - squared / max(float(np.var(true)), 1e-300),
        "rmse": squared**0.5,
        "within_1_sigma": curve[3],
        "within_2_sigma": curve[5],
        "curve": curve,
        "true": true.tolist(),
        "predicted": mean.tolist(),
    }


def _solved(solved: np.ndarray, probability: np.ndarray, share: float) -> dict[str, float]:
    """Brier score beside that of always saying the share, and how often a solved row is ranked higher."""
    brier = float(np.mean((probability - solved) ** 2))
    return {
        "share": share,
        "brier": brier,
        "brier_of_share": share * (1 - share),
        "ranked_right": _ranked_right(probability[solved], probability[~solved]),
    }


def _ranked_right(high: np.ndarray, low: np.ndarray) -> float:
    """Area under the ROC curve: of all pairs, those in the right order; 0.5 where there are none."""
    if len(high) == 0 or len(low) == 0:
        return 0.5
    difference = high[:, None] - low[None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))
