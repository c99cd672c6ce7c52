"""The search, run by the workload's own Python (see test_stellar_geometry.py)."""

import json
import os
import subprocess

import pytest
from stellar_optimization.design import DESIGNS

PYTHON = os.environ.get("STELLAR_MAIN_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="STELLAR_MAIN_PYTHON does not name a Python of the workload"
)
# A model whose only equilibrium is the start.
LONELY = """
import json, types
import numpy as np
from stellar_optimization.geometry import SECTIONS
from stellar_optimization.search import Search

class Model:
    roughness = np.zeros(2)

    def evaluate(self, x):
        if x.any():
            return None
        values = np.concatenate([np.full(SECTIONS, 1.5), [3.8, -0.6, 0.31]])
        return types.SimpleNamespace(values=values, official=values, elongation=1.5)

    def jacobian(self, point):
        return np.concatenate([np.full((SECTIONS, 2), -1.0), np.zeros((3, 2))])

progress = Search(Model(), np.zeros(2), 0.0).advance(1000)
print(json.dumps([progress.settled, progress.failed_solves, progress.merit]))
"""


def test_a_search_without_equilibria_around_it_soon_takes_smaller_steps_and_settles() -> None:
    done = subprocess.run(
        [PYTHON, "-c", LONELY], cwd=DESIGNS.parent, capture_output=True, text=True, check=True
    )
    settled, failed, merit = json.loads(done.stdout)
    assert settled
    assert failed <= 5 * 4
    assert merit == 1.5
