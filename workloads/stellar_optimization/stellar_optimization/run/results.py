"""What a finished attempt leaves for people: figures, the design, drawing."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from stellar_optimization.pictures import drawing
from stellar_optimization.pictures.theme import THEMES, Theme, themed
from stellar_optimization.problems.design import Boundary, Design
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.campaign import Campaign
from stellar_optimization.search.state import State


def write_results(
    campaign: Campaign, files: RunDirectory, start: Design, prefix: str = ""
) -> dict[str, Any]:
    """Write summary.json, design.json and pictures; returns the summary.

    `prefix`: of all names, where one job has the results of several problems.
    """
    state, problem = campaign.state, campaign.state.problem

    def write(name: str, content: bytes) -> None:
        files.write_result(prefix + name, content)

    boundary = _final_boundary(state, start)
    summary = _summary(state, start)
    _write_json(write, "design.json", boundary.to_json())
    theta, phi = drawing.surface_angles(boundary.n_field_periods)
    field = campaign.field(boundary, theta, phi)
    if problem.of_a_set:
        # The leaderboard takes a set as a list of strings, each the JSON of a boundary.
        scored = [json.dumps(c.boundary) for c in state.candidates if c.official_score]
        _write_json(write, "designs.json", scored)
    for theme in THEMES:
        campaign.check("drawing")
        with themed(theme):
            for name, picture in _pictures(state, start, boundary, theme).items():
                write(f"{name}{theme.suffix}.png", picture)
    try:
        found = field()
    except ValueError:  # a boundary without equilibrium still has a shape
        strength = np.ones_like(theta)
    else:
        strength = found.strength
        for theme in THEMES:
            with themed(theme):
                drawn = drawing.field_strength(found, boundary.n_field_periods, problem, theme)
            write(f"field-strength{theme.suffix}.png", drawn)
    write("boundary-3d.html", drawing.surface_page(boundary, strength))
    campaign.check("drawing")
    # Last, so that whoever sees it sees everything.
    _write_json(write, "summary.json", summary)
    return summary


def _pictures(state: State, start: Design, boundary: Boundary, theme: Theme) -> dict[str, bytes]:
    """PNG files by name: what can be drawn without the field."""
    problem = state.problem
    drawn = {
        "convergence": drawing.convergence(problem, state.history, state.candidates, theme),
        "constraints": drawing.constraints(problem, *_violations(state), theme),
        "cross-sections": drawing.sections(start.boundary, boundary, theme),
    }
    if problem.of_a_set:
        drawn["pareto"] = drawing.pareto(
            state.front(), state.best_designs(), problem.published, theme
        )
    return drawn


def _final_boundary(state: State, start: Design) -> Boundary:
    """The officially best design; without one the best of the screening model, or the start."""
    if candidate := state.reported():
        return Boundary.from_json(candidate.boundary)
    search = state.best_search()
    return Boundary.from_json(search.boundary) if search else start.boundary


def _violations(state: State) -> tuple[list[float], list[float] | None]:
    """Of the design that is reported: screening values, and official violations if it has them."""
    best, now = state.reported(), state.row()
    names = [bound.quantity for bound in state.problem.bounds]
    shape = best.shape if best else [now[name] for name in names if name in now]
    return shape, best.high["violations"] if best and best.high else None


def _summary(state: State, start: Design) -> dict[str, Any]:
    """One design's figures: of the reported one; without one only the screening model's."""
    best, now = state.reported(), state.row()
    high = best.high if best and best.high else {}
    violations = high.get("violations")
    problem, missed = state.problem, state.why_unscored()
    screened = _screened(state)
    known = {
        "problem": problem.title,
        "official_score": state.official_score() or 0.0,
        "no_official_score": missed,
        "feasible": missed is None,
        "largest_violation": round(max(screened), 6) if missed and screened else None,
        "limited_by": problem.worst(screened) if missed and screened else None,
        f"official_{problem.objective}": high.get("objective"),
        "feasibility": max(0.0, *violations) if violations else None,
        "official_low_score": state.official_low_score(),
        "evaluator": high.get("evaluator"),
        "published_score": problem.published,
        "start": start.name,
        "start_origin": start.origin,
        "start_official_score": start.verdict("high", problem.name),
        "start_official_low_score": start.verdict("low", problem.name),
        f"screening_{problem.objective}": (
            problem.shown(best.objective) if best else now.get(problem.objective)
        ),
        "modes": best.modes if best else None,
        "designs_scored": sum(candidate.high is not None for candidate in state.candidates),
        "search_seconds": round((state.search_seconds or state.seconds) - state.began[0], 1),
        "cpu_hours": round((state.cpu_seconds - state.began[1]) / 3600, 4),
        **{key: now[key] for key in ("solves", "failed_solves", "jacobians")},
    }
    return {name: value for name, value in known.items() if value is not None}


def _screened(state: State) -> list[float]:
    """Violations of the best design found, by the screening model; empty without an equilibrium."""
    best = state.best_search()
    return state.problem.violations(best.shape) if best else []


def _write_json(write: Callable[[str, bytes], None], name: str, content: Any) -> None:
    write(name, (json.dumps(content, indent=1) + "\n").encode())
