"""What a finished attempt leaves for people: figures, the design, drawing."""

import json
from typing import Any

import numpy as np

from stellar_optimization.pictures import drawing
from stellar_optimization.problems import geometrical as problem
from stellar_optimization.problems.design import Boundary, Design
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.campaign import Campaign
from stellar_optimization.search.state import State


def write_results(campaign: Campaign, files: RunDirectory, start: Design) -> dict[str, Any]:
    """Write summary.json, design.json and pictures; returns the summary."""
    state = campaign.state
    boundary = _final_boundary(state, start)
    summary = _summary(state, start)
    _write_json(files, "design.json", boundary.to_json())
    theta, phi = drawing.surface_angles(boundary.n_field_periods)
    field = campaign.workers[0].field.remote(boundary.to_json(), theta, phi)
    files.write_result("convergence.png", drawing.convergence(state.history, state.candidates))
    files.write_result("constraints.png", drawing.constraints(*_violations(state)))
    campaign.check("drawing")
    files.write_result("cross-sections.png", drawing.sections(start.boundary, boundary))
    try:
        found = campaign.get([field], "drawing")[0]
    except ValueError:  # a boundary without equilibrium still has a shape
        strength = np.ones_like(theta)
    else:
        strength = found.strength
        drawn = drawing.field_strength(found, boundary.n_field_periods)
        files.write_result("field-strength.png", drawn)
    files.write_result("boundary-3d.html", drawing.surface_page(boundary, strength))
    campaign.check("drawing")
    # Last, so that whoever sees it sees everything.
    _write_json(files, "summary.json", summary)
    return summary


def _final_boundary(state: State, start: Design) -> Boundary:
    """The officially best design; without one the best of the screening model, or the start."""
    if candidate := state.reported():
        return Boundary.from_json(candidate.boundary)
    search = state.best_search()
    return Boundary.from_json(search.boundary) if search else start.boundary


def _violations(state: State) -> tuple[list[float], list[float] | None]:
    """Of the design that is reported: screening values, and official violations if it has them."""
    best, now = state.reported(), state.row()
    names = ("aspect_ratio", "triangularity", "iota_per_period")
    shape = best.shape if best else [now[name] for name in names if name in now]
    return shape, best.high["violations"] if best and best.high else None


def _summary(state: State, start: Design) -> dict[str, Any]:
    """One design's figures: of the reported one; without one only the screening model's."""
    best, now = state.reported(), state.row()
    high = best.high if best and best.high else {}
    violations = high.get("violations")
    known = {
        "official_score": state.official_score(),
        "no_official_score": state.why_unscored(),
        "official_elongation": high.get("elongation"),
        "feasibility": max(0.0, *violations) if violations else None,
        "official_low_score": state.official_low_score(),
        "evaluator": high.get("evaluator"),
        "published_score": problem.PUBLISHED_SCORE,
        "start": start.name,
        "start_origin": start.origin,
        "start_official_score": start.verdict("high"),
        "start_official_low_score": start.verdict("low"),
        "screening_elongation": best.elongation if best else now.get("elongation"),
        "modes": best.modes if best else None,
        "designs_scored": sum(candidate.high is not None for candidate in state.candidates),
        "search_seconds": round(state.search_seconds or state.seconds, 1),
        "cpu_hours": round(state.cpu_seconds / 3600, 4),
        **{key: now[key] for key in ("solves", "failed_solves", "jacobians")},
    }
    return {name: value for name, value in known.items() if value is not None}


def _write_json(files: RunDirectory, name: str, content: dict[str, Any]) -> None:
    files.write_result(name, (json.dumps(content, indent=1) + "\n").encode())
