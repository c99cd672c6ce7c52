"""Rows as a data set: whose they are, what is refused, and no design's relatives on both sides."""

from pathlib import Path
from typing import Any

from stellar_python import answer, needs_python

pytestmark = needs_python
JOBS = """
import json, pathlib, sys, zlib
import numpy as np
from stellar_optimization.learn.dataset import NoData, finished_jobs, job_directories, load, split
from stellar_optimization.learn.rows import Row, chunk, chunk_name

base = pathlib.Path(sys.argv[1])
own = (base / "mine").as_uri()

def write(
    job, search, origin=None, solves=30, problem="geometrical", same=False, metrics=("one", "two")
):
    random = np.random.default_rng(0 if same else zlib.crc32(f"{job}{search}".encode()))
    rows = []
    for number in range(1, solves + 1):
        r, z = random.normal(size=(2, 6))
        r[1] = 1.0
        values = None if number % 5 == 0 else [1.0 + number, 2.0]
        jacobian = list(range(24)) if number == 1 else None
        tables = (r.tolist(), z.tolist())
        rows.append(Row(search, origin or search, 0, number, 0, 3, 1, *tables, values, jacobian))
    file = base / job / chunk_name(search, 0)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(chunk(rows, problem, list(metrics)))

def finish(job):
    (base / job / "results").mkdir(parents=True, exist_ok=True)
    (base / job / "results" / "summary.json").write_text("{}")

def learnt(*jobs, problem="geometrical"):
    return load(job_directories(own, jobs), problem)

def refused(call):
    try:
        call()
    except NoData as error:
        return str(error)
"""


def _run(folder: Path, program: str) -> Any:
    return answer(JOBS + program, str(folder))


def test_what_cannot_be_learnt_from_is_refused_with_the_parameter_and_the_job(
    tmp_path: Path,
) -> None:
    program = """
finish("empty"), write("running", "000"), finish("few"), write("few", "000")
finish("other"), write("other", "000", problem="simple_to_build")
print(json.dumps([
    refused(lambda: job_directories(own, ["nonesuch"])),
    refused(lambda: job_directories(own, ["running"])),
    refused(lambda: learnt("empty")),
    refused(lambda: learnt("few", "other")),
    refused(lambda: learnt("other")),
    refused(lambda: learnt()),
    finished_jobs(own),
]))
"""
    unknown, running, empty, few, other, none, finished = _run(tmp_path, program)
    assert unknown == "rows_from: there is no job 'nonesuch' beside this one; check its name"
    assert running == "rows_from: job 'running' has not finished; wait for it or leave it out"
    assert empty == "rows_from: job 'empty' has written no rows"
    assert few == (
        "rows_from: 24 solved rows of 1 independent searches; at least 30 of 3 are needed: name more jobs;"
        " left aside: 30 rows of the problem simple_to_build"
    )
    assert other == (
        "rows_from: the jobs have no rows of the problem geometrical; left aside: 30 rows of the problem"
        " simple_to_build"
    )
    assert none == "rows_from: no finished job has written any rows yet"
    assert finished == ["few", "other"]


def test_rows_that_do_not_fit_the_problem_are_left_aside_and_counted(tmp_path: Path) -> None:
    program = """
for search in ("000", "001", "002"):
    write("one", search)
write("all", "000", problem="mhd_stable"), write("all", "001")
write("older", "000", metrics=("one", "three"), solves=10)
finish("one"), finish("all"), finish("older")
found = learnt(*finished_jobs(own))
print(json.dumps([len(found.dataset.solved), found.dataset.metrics, found.aside]))
"""
    rows, metrics, aside = _run(tmp_path, program)
    assert rows == 4 * 30 and metrics == ["one", "two"]
    assert aside == {"of the problem mhd_stable": 30, "with other metrics than most": 10}


def test_relatives_of_a_design_are_all_on_one_side(tmp_path: Path) -> None:
    program = """
for number in range(12):
    write("one", f"{number:03d}")
write("two", "000", origin="one/003,one/004")
finish("one"), finish("two")
data = learnt("one", "two").dataset
folds = split(data.lineage, 5)
sides = [sorted(set(data.lineage[folds == fold])) for fold in range(-1, 5)]
print(json.dumps([sides, len(data.solved), [int((folds == f).sum()) for f in range(-1, 5)]]))
"""
    sides, rows, counts = _run(tmp_path, program)
    assert rows == 13 * 30 == sum(counts)
    families = [family for side in sides for family in side]
    assert len(families) == len(set(families)) == 11  # one/003, one/004 and two/000 are one
    assert all(counts) and 0.1 < counts[0] / rows < 0.3


def test_the_same_boundary_is_learnt_once_and_its_slope_with_it(tmp_path: Path) -> None:
    program = """
for number in range(4):
    write("one", f"{number:03d}", same=number > 1)
finish("one")
data = learnt("one").dataset
print(json.dumps([len(data.solved), data.slope_rows.tolist(), data.slopes.shape]))
"""
    assert _run(tmp_path, program) == [90, [0, 30, 60], [3, 2, 8]]
