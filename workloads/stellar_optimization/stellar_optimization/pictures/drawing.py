"""Pictures of a campaign: how it went, and the boundary it found; PNG files of a theme, and one page."""

import itertools
import json
import textwrap
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from stellar_optimization.physics.field import BoundaryField
from stellar_optimization.pictures.theme import Theme, png
from stellar_optimization.problems.design import Boundary
from stellar_optimization.problems.problem import TOLERANCE, Problem
from stellar_optimization.problems.quasi_isodynamic import REFERENCE
from stellar_optimization.search.candidate import Candidate

PAGE = Path(__file__).with_name("boundary_3d.html")


def convergence(
    problem: Problem,
    history: list[dict[str, Any]],
    candidates: list[Candidate],
    theme: Theme,
) -> bytes:
    """Score, objective and the constrained quantities over the search's time (s)."""
    columns = (len(problem.bounds) + 4) // 2
    figure, axes = plt.subplots(2, columns, figsize=(4 * columns, 6.4), layout="constrained")
    score, objective, *bounded, text = axes.ravel()[: len(problem.bounds) + 3]
    _line(
        score,
        history,
        "official_score",
        "Official score (high fidelity)",
        color=theme.end,
        marker="o",
    )
    _line(score, history, "official_low_score", "Official score at low fidelity", color=theme.start)
    score.axhline(problem.published, color=theme.limit, ls="--", lw=1)
    score.annotate(
        f"published: {problem.published}", (0.02, problem.published),
        xycoords=("axes fraction", "data"), va="bottom", color=theme.limit, fontsize=9,
    )  # fmt: skip
    score.set(title="Official score of the best design", ylabel="Score (more is better)")
    score.margins(y=0.3)
    score.set_xlim(left=0)
    if score.get_legend_handles_labels()[0]:
        score.legend(fontsize=8)
    _line(objective, history, problem.objective, "screening model", color=theme.end)
    title = problem.objective_title
    objective.set(title=_wrapped(f"{title} (screening model)"), ylabel=_wrapped(title))
    for axis, bound in zip(bounded, problem.bounds, strict=True):
        _line(axis, history, bound.quantity, "screening model", color=theme.end)
        tolerated = bound.limit + bound.sign * TOLERANCE * bound.scale
        label = f"{bound.sense} {bound.limit:g}"
        axis.axhline(bound.limit, color=theme.limit, ls="--", lw=1, label=label)
        axis.axhspan(bound.limit, tolerated, color=theme.limit, alpha=0.12, label="tolerance")
        axis.set(title=_wrapped(bound.title), ylabel=_wrapped(bound.title))
        axis.legend(fontsize=8)
    for axis in (score, objective, *bounded):
        axis.set_xlabel("Time (s)")
    for axis in axes.ravel()[len(problem.bounds) + 2 :]:
        axis.axis("off")
    text.text(
        0, 1, _official_results(problem, candidates), va="top", fontsize=9, family="monospace"
    )
    return png(figure)


def pareto(
    front: list[tuple[float, float]],
    screened: list[tuple[float, float]],
    published: float,
    theme: Theme,
) -> bytes:
    """Feasible designs by aspect ratio and gradient length, and the area that counts as their score.

    `screened`: the searches' best designs by the screening model, whether feasible or not.
    """
    figure, axis = plt.subplots(figsize=(7, 4.6), layout="constrained")
    for length, aspect in front:
        axis.fill_between(
            [aspect, REFERENCE[1]], REFERENCE[0], length, color=theme.end, alpha=0.15, lw=0
        )
    for designs, style, label in (
        (screened, {"color": theme.start, "mfc": "none"}, "best of each search (screening model)"),
        (front, {"color": theme.end}, "feasible (official)"),
    ):
        if designs:
            lengths, aspects = zip(*designs, strict=True)
            axis.plot(aspects, lengths, "o", label=label, **style)
    axis.plot(REFERENCE[1], REFERENCE[0], "x", color=theme.limit, label="reference point")
    found = f"{len(front)} feasible designs" if front else "no feasible design was found"
    axis.set(
        title=f"{found} (published score: {published:g})",
        xlabel="Aspect ratio (less is more compact)",
        ylabel="Least scale length of the field's gradient\n(over minor radius, times field periods)",
        xlim=(0, REFERENCE[1] + 1),
    )
    axis.legend(fontsize=8)
    return png(figure)


def _wrapped(title: str) -> str:
    """In lines that fit one of several diagrams side by side."""
    return "\n".join(textwrap.wrap(title, 30))


def _line(axis: Any, history: list[dict[str, Any]], name: str, label: str, **style: Any) -> None:
    rows = [row for row in history if name in row]
    if not rows:
        return
    x, y = [row["search_seconds"] for row in rows], [row[name] for row in rows]
    axis.step(x, y, where="post", label=label, **{"ms": 3, **style})


def _official_results(problem: Problem, candidates: list[Candidate]) -> str:
    lines = ["Official high-fidelity results", "", "screening    official"]
    for candidate in candidates:
        if candidate.high is None:
            verdict = "not scored"
        elif candidate.high["error"]:
            verdict = "not solved"
        else:
            verdict = f"{candidate.high['objective']:.4f}  {candidate.high['score']:.6f}"
        lines.append(f"   {problem.shown(candidate.objective):.4f}    {verdict}")
    return "\n".join(lines)


def sections(start: Boundary, end: Boundary, theme: Theme) -> bytes:
    """Cross-sections of both boundaries at four toroidal angles of half a field period."""
    figure, axes = plt.subplots(
        1, 4, figsize=(12, 4), layout="constrained", sharex=True, sharey=True
    )
    theta = np.linspace(0, 2 * np.pi, 361)
    for axis, fraction in zip(axes, (0, 1 / 6, 1 / 3, 1 / 2), strict=True):
        for boundary, colour, label in ((start, theme.start, "start"), (end, theme.end, "end")):
            phi = np.full_like(theta, fraction * 2 * np.pi / boundary.n_field_periods)
            r, z = positions(boundary, theta, phi)
            axis.plot(r, z, color=colour, lw=1.6, label=label)
        axis.set(title=f"{fraction:.2f} of a field period", xlabel="R (m)", aspect="equal")
    axes[0].set_ylabel("Z (m)")
    axes[0].legend()
    figure.suptitle("Boundary at four toroidal angles, major radius scaled to 1 m")
    return png(figure)


def surface_angles(periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Poloidal and toroidal angles (rad) of the 3-D page's grid, each (61, 80 periods + 1)."""
    theta, phi = np.meshgrid(
        np.linspace(0, 2 * np.pi, 61), np.linspace(0, 2 * np.pi, 80 * periods + 1), indexing="ij"
    )
    return theta, phi


def surface_page(boundary: Boundary, strength: np.ndarray) -> bytes:
    """HTML page: the whole torus, to be turned, coloured by |B| on the grid of `surface_angles`."""
    theta, phi = surface_angles(boundary.n_field_periods)
    r, z = positions(boundary, theta, phi)
    points = np.stack([r * np.cos(phi), r * np.sin(phi), z], -1)
    data = {
        "shape": theta.shape,
        "xyz": points.round(4).ravel().tolist(),
        "strength": strength.round(4).ravel().tolist(),
        "low": float(strength.min()),
        "high": float(strength.max()),
    }
    return PAGE.read_text(encoding="utf-8").replace("/*DATA*/", json.dumps(data)).encode()


def field_strength(field: BoundaryField, periods: int, problem: Problem, theme: Theme) -> bytes:
    """|B| on the boundary over Boozer angles, and the rotational transform over the flux."""
    figure, (angles, profile) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
    one = np.s_[:, : (field.strength.shape[1] - 1) // periods + 1]
    x, y = field.boozer_phi[one] * periods / (2 * np.pi), field.boozer_theta[one] / (2 * np.pi)
    levels = np.linspace(field.strength.min(), field.strength.max(), 24)
    for i, j in itertools.product((-1, 0, 1), repeat=2):  # both angles are periodic
        drawn = angles.contour(x + i, y + j, field.strength[one], levels=levels, cmap="viridis")
    angles.grid(visible=False)
    figure.colorbar(drawn, ax=angles, label="|B| / mean |B|")
    angles.set(
        xlim=(0, 1),
        ylim=(0, 1),
        title="Field strength on the boundary",
        xlabel="Toroidal Boozer angle (field periods)",
        ylabel="Poloidal Boozer angle (turns)",
    )
    profile.plot(field.flux, np.abs(field.iota) / periods, color=theme.end)
    needed = next(b.limit for b in problem.bounds if b.quantity == "iota_per_period")
    profile.axhline(needed, color=theme.limit, ls="--", lw=1, label="bound at the edge")
    profile.set(
        title="Rotational transform",
        xlabel="Toroidal flux / flux of the boundary",
        ylabel="Rotational transform per field period",
    )
    profile.legend(fontsize=8)
    return png(figure)


def constraints(
    problem: Problem, shape: list[float], official: list[float] | None, theme: Theme
) -> bytes:
    """Normalised violation of each bound against the benchmark's tolerance (negative: inside).

    shape: quantities of the bounds by the screening model; official: violations.
    """
    names = [bound.title for bound in problem.bounds]
    figure, axis = plt.subplots(figsize=(9, 1.4 + 0.6 * len(names)), layout="constrained")
    rows = np.arange(len(names))
    if shape:
        axis.barh(
            rows + 0.2, problem.violations(shape), 0.36, color=theme.start, label="screening model"
        )
    if official:
        axis.barh(rows - 0.2, official, 0.36, color=theme.end, label="official, high fidelity")
    axis.axvline(0, color=theme.ink, lw=0.8)
    axis.axvline(TOLERANCE, color=theme.limit, ls="--", lw=1, label="tolerance")
    axis.set_yticks(rows, names)
    axis.invert_yaxis()
    axis.set(title="How far each bound is violated", xlabel="Violation / bound (negative: inside)")
    axis.legend(fontsize=8)
    axis.grid(visible=False, axis="y")
    return png(figure)


def positions(
    boundary: Boundary, theta: np.ndarray, phi: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R and Z (m) at angles (rad) of one shape; the series of `geometry`, without JAX."""
    r_cos, z_sin = np.array(boundary.r_cos), np.array(boundary.z_sin)
    n_max = (r_cos.shape[1] - 1) // 2
    m, n = np.arange(r_cos.shape[0])[:, None], np.arange(-n_max, n_max + 1)
    angle = np.multiply.outer(m + 0 * n, theta)
    angle -= boundary.n_field_periods * np.multiply.outer(n + 0 * m, phi)
    return np.tensordot(r_cos, np.cos(angle), 2), np.tensordot(z_sin, np.sin(angle), 2)
