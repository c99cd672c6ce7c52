"""The official evaluator's process, when it ends too early."""

from pathlib import Path

import pytest
from ray_fixture import eventually
from stellar_optimization.problems.evaluator import OfficialEvaluator

ENDS = {
    "at once": "exit 3",
    "asked": "read request; exit 3",
    "late": "read request; kill -XCPU $$",
}


def evaluator(folder: Path, program: str) -> OfficialEvaluator:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    return OfficialEvaluator(python, high_limit=7)


@pytest.mark.parametrize("end", ENDS)
def test_a_design_whose_evaluator_ends_has_an_error_and_no_score(tmp_path: Path, end: str) -> None:
    result = evaluator(tmp_path, ENDS[end]).score({"r_cos": []}, "high")
    error = "no result after 7 s of CPU time" if end == "late" else "evaluator crashed"
    assert (result["error"], result["score"], result["feasible"]) == (error, None, False)


def test_one_that_ended_before_it_was_asked_is_no_end_of_the_search(tmp_path: Path) -> None:
    broken = evaluator(tmp_path, "exit 3")
    broken.prepare()
    process = broken._process
    assert process is not None
    eventually(lambda: process.poll() is not None)
    assert broken.score({"r_cos": []}, "low")["error"] == "evaluator crashed"
