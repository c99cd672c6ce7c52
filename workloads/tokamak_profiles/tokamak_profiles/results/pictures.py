"""Pictures of a finished job as PNG files, for light and for dark pages."""

import io
from typing import Any

import matplotlib

matplotlib.use("Agg")  # a driver has no display

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from tokamak_profiles.learning.errors import ensemble_mean, row_errors
from tokamak_profiles.learning.evaluation import CHECKS, Evaluation
from tokamak_profiles.learning.rows import Rows
from tokamak_profiles.physics.grid import BOUNDARY, NODES

THEMES = {
    "light": {"page": "#ffffff", "text": "#1b1f24", "ions": "#c2410c", "electrons": "#1f5fbf"},
    "dark": {"page": "#16191d", "text": "#e6e9ed", "ions": "#fb923c", "electrons": "#7cb2ff"},
}
SPECIES = ("ions", "electrons")


def profiles(found: Evaluation, theme: str) -> bytes:
    """The scenario's temperatures: solved, and as each network predicts them."""
    colours = THEMES[theme]
    with _style(theme):
        figure, axis = plt.subplots(figsize=(8, 4.6), layout="constrained")
        for index, name in enumerate(SPECIES):
            members = found.scenario_temperature[:, index]
            mean, low, high = ensemble_mean(members), members.min(axis=0), members.max(axis=0)
            axis.fill_between(NODES, low, high, color=colours[name], alpha=0.25, lw=0)
            axis.plot(NODES, mean, color=colours[name], label=f"{name}, predicted")
            if found.scenario.solved[0]:
                solved = found.scenario.temperature[0, index]
                axis.plot(NODES, solved, "o", ms=4, color=colours[name], label=f"{name}, solved")
        axis.set(
            title="Temperatures of the scenario",
            xlabel="Radius r / a",
            ylabel="Temperature (keV)",
            xlim=(0, BOUNDARY),
            ylim=(0, None),
        )
        axis.legend()
        return _png(figure)


def held_out(rows: Rows, found: Evaluation, theme: str) -> bytes:
    """Predicted against solved fusion gain, and how large the temperatures' errors are."""
    colours = THEMES[theme]
    with _style(theme):
        figure, (gain, errors) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
        solved = rows.fusion_power / rows.points[:, 0]
        predicted = ensemble_mean(found.held_out_power) / rows.points[:, 0]
        ends = [0.9 * solved.min(), 1.1 * solved.max()]
        gain.plot(ends, ends, color=colours["text"], lw=0.8)
        gain.loglog(solved, predicted, "o", ms=4, color=colours["electrons"])
        gain.set(
            title="Fusion gain of held-out points",
            xlabel="Solved fusion power / heating power",
            ylabel="Predicted fusion power / heating power",
        )
        for ticks in (gain.xaxis, gain.yaxis):
            ticks.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50]))
            ticks.set_major_formatter("{x:g}")
            ticks.set_minor_locator(NullLocator())
        errors.hist(row_errors(found.held_out, rows), bins=20, color=colours["ions"])
        errors.set(
            title="Error of temperatures of held-out points",
            xlabel="Root mean square of the relative error over both profiles (%)",
            ylabel="Operating points",
        )
        return _png(figure)


def gain_map(found: Evaluation, theme: str) -> bytes:
    """Predicted fusion gain of the scenario with other heating and another pedestal."""
    with _style(theme):
        figure, axis = plt.subplots(figsize=(8, 4.8), layout="constrained")
        filled = axis.contourf(found.heating, found.pedestal, found.gain, levels=16, cmap="viridis")
        figure.colorbar(filled, ax=axis, label="Predicted fusion power / heating power")
        levels = [level for level in (2, 5, 10, 15, 20, 30) if _inside(level, found.gain)]
        lines = axis.contour(
            found.heating, found.pedestal, found.gain, levels, colors="#ffffff", linewidths=0.8
        )
        axis.clabel(lines, fmt="%g", colors="#ffffff")
        points, gain = found.checked.points, found.checked.fusion_power
        for index in np.flatnonzero(found.checked.solved):
            column, line = index % CHECKS, index // CHECKS
            axis.annotate(
                f"{gain[index] / points[index, 0]:.1f}",
                (points[index, 0], points[index, 6]),
                color="#ffffff",
                ha=("left" if column == 0 else "right" if column == CHECKS - 1 else "center"),
                va=("bottom" if line == 0 else "top" if line == CHECKS - 1 else "center"),
                bbox={"boxstyle": "round", "fc": "#1b1f24", "ec": "none", "alpha": 0.75},
            )
        axis.plot(*found.scenario.points[0, [0, 6]], "*", ms=14, color="#ffffff", mec="#1b1f24")
        axis.set(
            title="Fusion gain: predicted, in boxes solved; the star is the scenario",
            xlabel="Heating power (MW)",
            ylabel="Pedestal temperature (keV)",
        )
        return _png(figure)


def training(history: list[dict[str, float]], theme: str) -> bytes:
    """Errors over the training."""
    colours = THEMES[theme]
    with _style(theme):
        figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
        updates = [row["updates"] for row in history]
        for name, label, style in (
            ("temperature_error", "held-out points, ensemble", {"color": colours["electrons"]}),
            ("training_error", "points trained on, one network", {"color": colours["ions"]}),
            ("spread", "spread of the networks", {"color": colours["text"], "ls": "--"}),
        ):
            axis.semilogy(updates, [row[name] for row in history], label=label, **style)
        axis.set(title="Training", xlabel="Updates", ylabel="Error of temperatures (%)")
        axis.grid(alpha=0.3)
        axis.legend()
        return _png(figure)


def _inside(level: float, values: np.ndarray) -> bool:
    return bool(values.min() < level < values.max())


def _style(theme: str) -> Any:
    page, text = THEMES[theme]["page"], THEMES[theme]["text"]
    page_keys = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    text_keys = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return plt.rc_context(dict.fromkeys(page_keys, page) | dict.fromkeys(text_keys, text))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()
