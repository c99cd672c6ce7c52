"""The benchmarks `science` and `convergence` fit the workload (their minutes are `make bench NAME=…`)."""

from pathlib import Path

import pytest
from stellar_python import answer, needs_python

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEASUREMENTS = BENCHMARKS / "science_measurements.py"
CONVERGENCE = BENCHMARKS / "convergence_measurements.py"


@needs_python
def test_bare_solves_and_those_with_shape_measures_are_of_the_same_boundaries() -> None:
    program = """
import json, runpy, sys
module = runpy.run_path(sys.argv[1])
solver = module["Solver"]()
print(json.dumps([solver.bare()[0], solver.solve()[0], module["SOLVES"]]))
"""
    bare, measured, asked = answer(program, str(MEASUREMENTS))
    assert bare == measured == asked


@needs_python
def test_a_torus_of_circles_is_even_and_as_curved_as_its_radius_says() -> None:
    program = """
import json, runpy, sys
import numpy as np
module = runpy.run_path(sys.argv[1])
def row(second, elongation=1.0):
    r_cos, z_sin = np.zeros((3, 5)), np.zeros((3, 5))
    r_cos[0, 2], r_cos[1, 2], z_sin[1, 2], r_cos[2, 2] = 2.0, 0.5, 0.5 * elongation, second
    values = [1.0] * module["TERMS"] + [4.0, -0.5, 0.3]
    return {"modes": 2, "n_field_periods": 3, "r_cos": r_cos.ravel(), "z_sin": z_sin.ravel(), "all": values}
rows = [row(0.0), row(0.0, 2.0), row(0.001), row(0.1)]
kept = [id(one) for one in module["distinct"](rows[:1] + rows[2:])]
kept = [index for index, one in enumerate(rows) if id(one) in kept]
print(json.dumps([module["shape_measures"](rows[0]), module["shape_measures"](rows[1]), kept]))
"""
    circle, ellipse, kept = answer(program, str(CONVERGENCE))
    exact = {"short_waves": 0.0, "spectral_width": 1.0, "curvature": 1.0, "uneven_theta": 1.0}
    assert circle == pytest.approx(exact)
    # Half axes 0.25 and 0.5 of the major radius: the curvature at the long end is 0.5 / 0.25^2.
    assert ellipse["curvature"] == pytest.approx(0.5 / 0.25**2 / 4)
    assert ellipse["uneven_theta"] == pytest.approx(
        1.54, abs=0.01
    )  # the circumference over 2 pi 0.25
    assert kept == [0, 3]
