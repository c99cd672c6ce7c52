"""The benchmark `science` fits the workload that it measures (its minutes are `make bench NAME=science`)."""

from pathlib import Path

from stellar_python import answer, needs_python

MEASUREMENTS = Path(__file__).parents[2] / "benchmarks" / "science_measurements.py"


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
