"""Where the searches begin: a stored design, or a rotating ellipse."""

import math

from stellar_optimization.problems.design import Boundary, Design, load_design
from stellar_optimization.run.parameters import Parameters

ELLIPSE = "ellipse"
HELICAL_AXIS = 0.1  # excursion of the sections' centres, m; a planar axis has too little transform
D_SHAPE = -0.1  # second poloidal mode, m; a plain ellipse often ends short of the triangularity


def start_of(parameters: Parameters) -> Design:
    """The start that the parameters name; ValueError for an unknown one."""
    if parameters.start != ELLIPSE:
        return load_design(parameters.start)
    periods, aspect, stretch = (
        parameters.ellipse_periods,
        parameters.ellipse_aspect,
        parameters.ellipse_elongation,
    )
    origin = (
        f"rotating ellipse of {periods} field periods, aspect ratio {aspect:g} and elongation {stretch:g}"
        f" about a helical axis, with a D-shape of {-D_SHAPE:g}"
    )
    return Design(ELLIPSE, rotating_ellipse(periods, aspect, stretch), origin, [])


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
