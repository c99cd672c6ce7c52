"""Rows of forward solves: what is written, read again, and never written twice (by the workload's own
Python)."""

from pathlib import Path
from typing import Any

import pytest
from stellar_python import answer, needs_python

pytestmark = needs_python
SOLVES = """
import json, sys
import numpy as np
from stellar_optimization.learn.recorder import Place, Recorder
from stellar_optimization.learn.rows import read_rows
from stellar_optimization.run.run_directory import RunDirectory

uri = sys.argv[1]
recorder = Recorder(RunDirectory(uri, 0), "geometrical")

def solve(number, jacobian=None, solved=True):
    return {
        "solve": number, "n_field_periods": 3, "modes": 1,
        "r_cos": [0, 1, 0.1 * number, 0, 0.2, 0], "z_sin": [0, 0, 0, 0, 0.2, 0],
        "values": [number, 2.0] if solved else None, "jacobian": jacobian,
    }

def slice_of(*rows, late=None):
    return {"rows": list(rows), "late_jacobians": late or {}, "metrics": ["one", "two"]}

def written():
    return [row for chunk in read_rows(uri) for row in chunk.to_pylist()]

place = Place("000", "001", 2, 0)
"""


def _run(folder: Path, program: str) -> Any:
    return answer(SOLVES + program, folder.as_uri())


def test_a_row_says_what_was_solved_where_and_what_came_out(tmp_path: Path) -> None:
    program = """
held = recorder.slice(place, 0, None, slice_of(solve(1, solved=False), solve(2)))
recorder.end("000", 1, held)
print(json.dumps(written()))
"""
    failed, solved = _run(tmp_path, program)
    assert failed["solved"] is False and failed["one"] is None
    assert solved["solved"] is True and (solved["one"], solved["two"]) == (2.0, 2.0)
    assert (solved["search"], solved["origin"], solved["stage"], solved["worker"]) == (
        "000",
        "001",
        2,
        0,
    )
    assert (solved["n_field_periods"], solved["modes"], len(solved["r_cos"])) == (3, 1, 6)


def test_a_jacobian_that_comes_a_slice_later_is_in_its_row(tmp_path: Path) -> None:
    program = """
held = recorder.slice(place, 0, None, slice_of(solve(1), solve(2)))
held = json.loads(json.dumps(held))  # by way of a checkpoint
held = recorder.slice(place, 1, held, slice_of(late={2: [0.5] * 24}))
held = recorder.slice(place, 2, held, slice_of(solve(3)))
recorder.end("000", 3, held)
print(json.dumps([[row["solve"], row["jacobian"]] for row in written()]))
"""
    assert _run(tmp_path, program) == [[1, None], [2, [0.5] * 24], [3, None]]


def test_a_slice_that_is_done_again_leaves_its_rows_once(tmp_path: Path) -> None:
    program = """
held = recorder.slice(place, 0, None, slice_of(solve(1), solve(2)))
once = dict(held)
recorder.slice(place, 1, once, slice_of(solve(3), solve(4)))  # killed before its checkpoint
held = recorder.slice(place, 1, held, slice_of(solve(3), solve(4)))
recorder.end("000", 2, held)
print(json.dumps([row["solve"] for row in written()]))
"""
    assert _run(tmp_path, program) == [1, 2, 3, 4]


def test_the_draft_of_a_chunk_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "rows" / "000").mkdir(parents=True)
    (tmp_path / "rows" / "000" / ".000000.parquet.partial").write_bytes(b"half")
    (tmp_path / "rows" / "000" / ".000000.parquet").write_bytes(b"half")
    assert _run(tmp_path, "print(json.dumps(written()))") == []


def test_coefficients_of_any_number_of_modes_become_one_vector_and_back(tmp_path: Path) -> None:
    program = """
from stellar_optimization.learn.coefficients import features, tables
r, z = tables(np.arange(1.0, 25.0)[None], 2)
wide = features(r, z, 3)
back = tables(wide, 3)
print(json.dumps([wide.shape, int(np.count_nonzero(wide)), features(*back, 2).tolist()]))
"""
    shape, used, vector = _run(tmp_path, program)
    assert shape == [1, 48] and used == 24
    assert vector[0] == pytest.approx(range(1, 25))


def test_a_jacobian_is_by_metres_of_each_coefficient(tmp_path: Path) -> None:
    program = """
from stellar_optimization.learn.rows import spread
from stellar_optimization.learn.coefficients import feature_scale
table = np.reshape(spread(np.ones((1, 24)), feature_scale(2), 2), (2, 3, 5))
print(json.dumps([table[0].tolist(), table[1, 1].tolist()]))
"""
    r_cos, z_sin = _run(tmp_path, program)
    assert r_cos[0][:3] == [0, 0, 0]  # fixed: by symmetry, and the major radius
    assert r_cos[1] == pytest.approx([4.4817, 1, 1, 1, 4.4817], abs=1e-4)
    assert z_sin == r_cos[1]
