"""The Python of `stellar_optimization`, for what needs its packages."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from stellar_optimization.problems.design import DESIGNS

PYTHON = os.environ.get("STELLAR_MAIN_PYTHON", "")
needs_python = pytest.mark.skipif(
    not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
)
SCORE_PYTHON = os.environ.get("STELLAR_SCORE_PYTHON", "")
needs_score_python = pytest.mark.skipif(
    not SCORE_PYTHON, reason="STELLAR_SCORE_PYTHON does not name the evaluator's Python"
)


def answer(program: str, *arguments: str) -> Any:
    """The JSON that `program` prints."""
    done = subprocess.run(
        [PYTHON, "-c", program, *arguments],
        cwd=DESIGNS.parent,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
