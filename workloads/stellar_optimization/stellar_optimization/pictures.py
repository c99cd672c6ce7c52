"""Pictures of a campaign: how it went, and the boundary it found. All return PNG files."""

import io
from typing import Any

import matplotlib

matplotlib.use("Agg")  # a worker has no display

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from stellar_optimization import problem
from stellar_optimization.design import Boundary
from stellar_optimization.state import Candidate

START, END = "#8a8f98", "#1f5fbf"
BOUNDS = {
    "aspect_ratio": ("Aspect ratio", problem.MAX_ASPECT, "at most"),
    "triangularity": ("Mean triangularity", problem.MAX_TRIANGULARITY, "at most"),
    "iota_per_period": (
        "Edge rotational transform\nper field period",
        problem.MIN_IOTA,
        "at least",
    ),
}


def convergence(history: list[dict[str, Any]], candidates: list[Candidate]) -> bytes:
    """Score, elongation and the three constrained quantities over the search's time (s)."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.4), layout="constrained")
    score, elongation, *bounded, text = axes.ravel()
    _line(score, history, "official_score", "Official score (high fidelity)", marker="o")
    _line(score, history, "official_low_score", "Official score at low fidelity", color=START)
    score.axhline(problem.PUBLISHED_SCORE, color="#c2410c", ls="--", lw=1)
    score.annotate(
        f"published: {problem.PUBLISHED_SCORE}", (0.02, problem.PUBLISHED_SCORE),
        xycoords=("axes fraction", "data"), va="bottom", color="#c2410c", fontsize=9,
    )  # fmt: skip
    score.set(title="Official score of the best design", ylabel="Score (1 is best)")
    score.legend(loc="lower right", fontsize=8)
    _line(elongation, history, "elongation", "screening model")
    elongation.set(title="Largest elongation (screening model)", ylabel="Elongation")
    for axis, (name, (title, bound, sense)) in zip(bounded, BOUNDS.items(), strict=True):
        _line(axis, history, name, title)
        slack = problem.TOLERANCE * abs(bound) * (1 if sense == "at most" else -1)
        axis.axhline(bound, color="#c2410c", ls="--", lw=1, label=f"{sense} {bound:g}")
        axis.axhspan(bound, bound + slack, color="#c2410c", alpha=0.12, label="1 % tolerance")
        axis.set(title=title)
        axis.legend(fontsize=8)
    for axis in (score, elongation, *bounded):
        axis.set_xlabel("Time (s)")
        axis.grid(alpha=0.3)
    text.axis("off")
    text.text(0, 1, _official_results(candidates), va="top", fontsize=9, family="monospace")
    return _png(figure)


def _line(axis: Any, history: list[dict[str, Any]], name: str, label: str, **style: Any) -> None:
    rows = [row for row in history if name in row]
    x, y = [row["search_seconds"] for row in rows], [row[name] for row in rows]
    axis.step(x, y, where="post", label=label, **{"color": END, "ms": 3, **style})


def _official_results(candidates: list[Candidate]) -> str:
    lines = ["Official high-fidelity results", "", "screening    official"]
    for candidate in candidates:
        if candidate.high is None:
            verdict = "not scored"
        elif candidate.high["error"]:
            verdict = "not solved"
        else:
            verdict = f"{candidate.high['elongation']:.4f}  {candidate.high['score']:.6f}"
        lines.append(f"   {candidate.elongation:.4f}    {verdict}")
    return "\n".join(lines)


def sections(start: Boundary, end: Boundary) -> bytes:
    """Cross-sections of both boundaries at four toroidal angles of half a field period."""
    figure, axes = plt.subplots(
        1, 4, figsize=(12, 4), layout="constrained", sharex=True, sharey=True
    )
    theta = np.linspace(0, 2 * np.pi, 361)
    for axis, fraction in zip(axes, (0, 1 / 6, 1 / 3, 1 / 2), strict=True):
        for boundary, colour, label in ((start, START, "start"), (end, END, "end")):
            phi = np.full_like(theta, fraction * 2 * np.pi / boundary.n_field_periods)
            r, z = positions(boundary, theta, phi)
            axis.plot(r, z, color=colour, lw=1.6, label=label)
        axis.set(title=f"{fraction:.2f} of a field period", xlabel="R (m)", aspect="equal")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("Z (m)")
    axes[0].legend()
    figure.suptitle("Boundary at four toroidal angles, major radius scaled to 1 m")
    return _png(figure)


def surface_angles(periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Poloidal and toroidal angles (rad) of the 3-D picture's grid, each (61, 80 periods + 1)."""
    theta, phi = np.meshgrid(
        np.linspace(0, 2 * np.pi, 61), np.linspace(0, 2 * np.pi, 80 * periods + 1), indexing="ij"
    )
    return theta, phi


def surface(boundary: Boundary, strength: np.ndarray) -> bytes:
    """The whole torus, coloured by relative field strength on the grid of `surface_angles`."""
    theta, phi = surface_angles(boundary.n_field_periods)
    r, z = positions(boundary, theta, phi)
    x, y = r * np.cos(phi), r * np.sin(phi)
    figure = plt.figure(figsize=(9, 6.5), layout="constrained")
    axis = figure.add_subplot(projection="3d")
    scale = matplotlib.colors.Normalize(strength.min(), strength.max())
    colours = matplotlib.colormaps["viridis"](scale(strength))
    axis.plot_surface(x, y, z, facecolors=colours, rstride=1, cstride=1, linewidth=0, shade=True)
    axis.set(xlabel="x (m)", ylabel="y (m)", zlabel="z (m)", title="Boundary and field strength")
    axis.set_box_aspect((np.ptp(x), np.ptp(y), np.ptp(z)), zoom=1.25)
    axis.view_init(elev=38, azim=-60)
    axis.locator_params(axis="z", nbins=3)
    shown = matplotlib.cm.ScalarMappable(scale, "viridis")
    figure.colorbar(shown, ax=axis, label="|B| / mean |B|", shrink=0.6)
    return _png(figure)


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


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()
