"""Pictures of what was learnt, each for a light and a dark page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from scipy.special import erf

from stellar_optimization.learn.evaluation import SIGMAS, headline
from stellar_optimization.pictures.theme import Theme, png, themed

COLOURS = ("#1f77d0", "#d97706", "#16a34a", "#a855f7", "#dc2626", "#0d9488")
TITLES = {
    "largest_elongation": "Largest elongation",
    "aspect_ratio": "Aspect ratio",
    "triangularity": "Mean triangularity",
    "iota_per_period": "Edge rotational transform per field period",
}


def title(metric: str) -> str:
    return TITLES.get(metric, metric.replace("_", " "))


def calibration(evaluation: dict[str, Any], theme: Theme) -> bytes:
    """Share of held-out rows within so many sigma against what a Gaussian has; then true over predicted."""
    metrics = headline(evaluation)
    columns = 1 + len(metrics)
    rows = -(-columns // 3)
    with _figure(theme, rows, min(columns, 3)) as (figure, axes):
        curve, *others = axes
        ideal = erf(SIGMAS / np.sqrt(2))
        curve.plot(ideal, ideal, color=theme.ink, lw=1, ls="--", label="ideal")
        for colour, (name, figures) in zip(COLOURS, metrics.items(), strict=False):
            curve.plot(ideal, figures["curve"], color=colour, marker="o", ms=3, label=title(name))
        curve.set(
            title="Calibration on held-out designs",
            xlabel="Expected share of rows within k sigma",
            ylabel="Observed share",
        )
        curve.legend(fontsize=7)
        for axis, (name, figures) in zip(others, metrics.items(), strict=False):
            _scatter(axis, figures, theme)
            axis.set(title=f"{title(name)}\nR² {figures['r2']:.3f}")
        for axis in others[len(metrics) :]:
            axis.axis("off")
        return png(figure)


def _scatter(axis: Any, figures: dict[str, Any], theme: Theme) -> None:
    true, predicted = np.array(figures["true"]), np.array(figures["predicted"])
    low, high = np.quantile(np.concatenate([true, predicted]), [0.01, 0.99])
    axis.plot([low, high], [low, high], color=theme.ink, lw=1, ls="--")
    axis.scatter(true, predicted, s=6, alpha=0.5, color=COLOURS[0])
    margin = 0.05 * (high - low)
    axis.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
    axis.set(xlabel="Solved by VMEC++", ylabel="Predicted")


def arms(merits: dict[str, list[list[float]]], solves: int, theme: Theme) -> bytes:
    """Best merit so far over forward solves, per arm: median and quartiles of its starts.

    merits: arm -> starts -> best merit after each solve, infinite before the first equilibrium.
    """
    with _figure(theme, 1, 1) as (figure, axes):
        axis, count = axes[0], np.arange(1, solves + 1)
        for colour, (arm, runs) in zip(COLOURS, merits.items(), strict=False):
            finite = np.array(runs)[:, :solves]
            low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75], axis=0, method="nearest")
            shown = np.isfinite(middle)
            axis.plot(
                count[shown], middle[shown], color=colour, label=f"{arm} ({len(runs)} starts)"
            )
            filled = np.isfinite(low) & np.isfinite(high)
            axis.fill_between(count, low, high, where=filled, color=colour, alpha=0.2, lw=0)
        axis.set(
            title="Searches from each kind of start (median, quartiles)",
            xlabel="Forward solves",
            ylabel="Best merit so far (elongation + penalty)",
            yscale="log",
        )
        axis.legend(fontsize=8)
        return png(figure)


@contextmanager
def _figure(theme: Theme, rows: int, columns: int) -> Iterator[tuple[Figure, list[Any]]]:
    with themed(theme):
        size = (4.2 * columns if columns > 1 else 7.5, 3.9 * rows if columns > 1 else 4.4)
        figure, axes = plt.subplots(
            rows, columns, figsize=size, layout="constrained", squeeze=False
        )
        yield figure, list(axes.ravel())
