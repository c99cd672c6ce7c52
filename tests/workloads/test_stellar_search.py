"""The search, run by the workload's own Python (see test_stellar_geometry.py)."""

from stellar_python import answer, needs_python

pytestmark = needs_python
# A model whose only equilibrium is the start.
LONELY = """
import json
import numpy as np
from stellar_optimization.physics.geometry import SECTIONS
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.search.screening import Screening
from stellar_optimization.search.search import Progress, Search

class Model:
    problem, quantities = GEOMETRICAL, ["aspect_ratio", "triangularity", "iota_per_period"]
    size = 2
    roughness = np.zeros(2)

    def evaluate(self, x):
        if x.any():
            return None
        values = np.concatenate([np.full(SECTIONS, 1.5), [3.8, -0.6, 0.31]])
        return Screening(x, values, values)

    def jacobian(self, point):
        return np.concatenate([np.full((SECTIONS, 2), -1.0), np.zeros((3, 2))])

progress = Search(Model(), Progress(np.zeros(2)), 0.0).advance(1000)
drawn = np.ones(2)
nearer = [drawn / 2, np.zeros(2), drawn / 8]
search = Search(Model(), Progress(drawn), 0.0, nearer)
begun = search.advance(1000)
asked = [point.tolist() for point, _ in search.take_solved().points[:3]]
print(json.dumps([progress.settled, progress.failed_solves, progress.cost, asked, begun.cost]))
"""


# A model with a curved valley and a region without equilibria; a search that is continued by
# another one after each slice, through what a checkpoint holds, beside one that is left alone.
CONTINUED = """
import json
import numpy as np
from stellar_optimization.search import journal
from stellar_optimization.physics.geometry import SECTIONS
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.search.screening import Screening
from stellar_optimization.search.search import COUNTS, Progress, Search

class Model:
    problem, quantities = GEOMETRICAL, ["aspect_ratio", "triangularity", "iota_per_period"]
    size = 6
    roughness = np.linspace(0.0, 1.0, 6)
    centres = np.random.default_rng(1).normal(size=(SECTIONS, 6))

    def evaluate(self, x):
        if np.sin(60 * x.sum()) > 0.6:
            return None
        elongations = 1.2 + np.sum((x - 0.3 * self.centres) ** 2, 1) + 0.3 * np.sin(3 * x[1]) ** 2
        bounds = [3.7 + x[2] ** 2, -0.45 + 0.2 * x[3], 0.29 + 0.1 * x[4]]
        values = np.concatenate([elongations, bounds])
        return Screening(x, values, values)

    def jacobian(self, point):
        x = point.x
        rows = 2 * (x - 0.3 * self.centres)
        rows[:, 1] += 0.9 * np.sin(6 * x[1])
        bounds = np.zeros((3, 6))
        bounds[0, 2], bounds[1, 3], bounds[2, 4] = 2 * x[2], 0.2, 0.1
        return np.concatenate([rows, bounds])

def continued(old):
    assert old.origin is not None
    entries = json.loads(json.dumps(journal.to_json(old.journal)))
    x, origin = (np.array(json.loads(json.dumps(v.tolist()))) for v in (old.x, old.origin))
    counts = {name: getattr(old, name) for name in COUNTS}
    return Progress(x, box=old.box, origin=origin, journal=journal.from_json(entries), **counts)

def path(interrupted):
    search = Search(Model(), Progress(np.full(6, 0.1)), 0.1)
    steps = []
    for _ in range(40):
        p = search.advance(7)
        steps.append([p.x.tobytes().hex(), p.cost, p.box, *(getattr(p, n) for n in COUNTS)])
        if p.settled:
            break
        if interrupted:
            search = Search(Model(), continued(p), 0.1)
    return steps

alone, interrupted = path(False), path(True)
print(json.dumps([alone == interrupted, len(alone), alone[0][1], alone[-1][1], alone[-1][3:]]))
"""


def test_a_continued_search_takes_the_same_path_to_the_bit() -> None:
    same, slices, first, last, counts = answer(CONTINUED)
    assert same
    assert slices > 5
    assert last < first - 0.1
    assert counts[1] > 0  # some points had no equilibrium


def test_a_search_without_equilibria_around_it_soon_takes_smaller_steps_and_settles() -> None:
    settled, failed, cost, *_ = answer(LONELY)
    assert settled
    assert failed <= 5 * 4
    assert cost == 1.5


def test_a_disturbed_start_without_equilibrium_gives_way_to_a_less_disturbed_one() -> None:
    *_, asked, cost = answer(LONELY)
    assert asked == [[1.0, 1.0], [0.5, 0.5], [0.0, 0.0]]
    assert cost == 1.5
