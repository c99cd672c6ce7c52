"""Where the searches begin: a stored design, a generated shape, or the design of another job."""

import json
import math
import os
from collections.abc import Mapping

import fsspec

from stellar_optimization.problems.catalog import PROBLEMS
from stellar_optimization.problems.design import Boundary, Design, load_design
from stellar_optimization.run.parameters import Parameters

ELLIPSE = "ellipse"
NEAR_AXIS = "near_axis"
JOB = "job"
USUAL = "usual"
GENERATED = (ELLIPSE, NEAR_AXIS)  # with few modes; searches from them begin with as many
HELICAL_AXIS = 0.1  # excursion of the sections' centres, m; a planar axis has too little transform
D_SHAPE = -0.1  # second poloidal mode, m; a plain ellipse often ends short of the triangularity


def start_of(parameters: Parameters, environment: Mapping[str, str] = os.environ) -> Design:
    """The start that the parameters name; ValueError for an unknown one."""
    name = parameters.start
    if name == USUAL:
        name = PROBLEMS[parameters.problem].start
    if name == JOB:
        return _design_of_job(environment.get("JOB_RESUME_FROM", ""))
    if name not in GENERATED:
        return load_design(name)
    periods, aspect, stretch = (
        parameters.ellipse_periods,
        parameters.ellipse_aspect,
        parameters.ellipse_elongation,
    )
    if name == NEAR_AXIS:
        from stellar_optimization.search.near_axis import near_axis  # needs numpy

        origin = f"ellipses about a quasi-isodynamic axis of {periods} field periods, aspect ratio {aspect:g}"
        return Design(NEAR_AXIS, near_axis(periods, aspect, stretch), origin, [])
    origin = (
        f"rotating ellipse of {periods} field periods, aspect ratio {aspect:g} and elongation {stretch:g}"
        f" about a helical axis, with a D-shape of {-D_SHAPE:g}"
    )
    return Design(ELLIPSE, rotating_ellipse(periods, aspect, stretch), origin, [])


def _design_of_job(directory: str) -> Design:
    """The design that another job ended with; ValueError where none was named, or it has none."""
    if not directory:
        raise ValueError("start is job, but no job to resume from was named")
    try:
        with fsspec.open(f"{directory.rstrip('/')}/results/design.json", "r") as file:
            boundary = Boundary.from_json(json.load(file))
    except FileNotFoundError as error:
        raise ValueError(
            f"start is job, but {directory.rsplit('/', 1)[-1]} left no design: resume from one of"
            " optimise, of one problem, or from a loop that found a feasible design"
        ) from error
    return Design(JOB, boundary, f"the design of the job in {directory.rsplit('/', 1)[-1]}", [])


def rotating_ellipse(periods: int, aspect: float, elongation: float) -> Boundary:
    """Ellipses (D-shaped) that turn half a turn per field period, two Fourier modes, R_00 = 1 m.

    Semi-axes a and b with a b = 1 / aspect^2 and a / b = elongation: the turning part has the
    amplitude (a - b) / 2, the other one (a + b) / 2.
    """
    long, short = math.sqrt(elongation) / aspect, 1 / (math.sqrt(elongation) * aspect)
    mean, turning = (long + short) / 2, (long - short) / 2
    r_cos = [
        [0.0, 0.0, 1.0, HELICAL_AXIS, 0.0],
        [0.0, 0.0, mean, -turning, 0.0],
        [0.0, 0.0, D_SHAPE, 0.0, 0.0],
    ]
    z_sin = [
        [0.0, 0.0, 0.0, -HELICAL_AXIS, 0.0],
        [0.0, 0.0, mean, turning, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    return Boundary(r_cos, z_sin, periods)
