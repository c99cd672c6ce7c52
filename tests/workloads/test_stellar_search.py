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


# The same for steps on a model that bends: the valley is exact, one bound is taken as linear and is not.
LINEARISED = """
import json
import numpy as np
from stellar_optimization.search import journal
from stellar_optimization.search.linearised_search import LinearisedSearch
from stellar_optimization.search.screening import TERMS, Screening
from stellar_optimization.search.search import COUNTS, Progress
from stellar_optimization.problems.quasi_isodynamic import SIMPLE_TO_BUILD

class Linear:
    def __init__(self, model, point):
        self.model, self.point = model, point

    def values(self, step):
        x = self.point.x
        return self.model.values(x + step, self.model.bent(x) + self.model.slope(x) @ step)

    def jacobian(self, step):
        columns = [self.values(step + d) - self.values(step - d) for d in 1e-6 * np.eye(self.model.size)]
        return np.array(columns).T / 2e-6

class Model:
    problem, size = SIMPLE_TO_BUILD, 4
    quantities = problem.quantities
    roughness = np.linspace(0.0, 1.0, 4)

    def bent(self, x):
        return np.sin(3 * x[0] - 0.9) + (x[1] - 0.3) ** 3

    def slope(self, x):
        return np.array([3 * np.cos(3 * x[0] - 0.9), 3 * (x[1] - 0.3) ** 2, 0.0, 0.0])

    def values(self, x, bent):
        residual = np.log10(1e-5 + np.sum((x - 0.3) ** 2) + 0.1 * bent**2)
        named = {"aspect_ratio": 9.0, "iota_per_period": 0.4, "log10_qi": residual,
                 "mirror_ratio": 0.1 + 0.1 * bent, "elongation": 4.0}
        return np.append(np.full(TERMS, -8.0 + x[2]), [named[name] for name in self.quantities])

    def evaluate(self, x):
        if x[3] > 0.9:
            return None
        found = self.values(x, self.bent(x))
        return Screening(x, found, found)

    def linearised(self, point):
        return Linear(self, point)

def continued(old):
    entries = json.loads(json.dumps(journal.to_json(old.journal)))
    x, origin = (np.array(json.loads(json.dumps(v.tolist()))) for v in (old.x, old.origin))
    counts = {name: getattr(old, name) for name in COUNTS}
    return Progress(x, box=old.box, origin=origin, journal=journal.from_json(entries),
                    sharpest=old.sharpest, **counts)

def path(interrupted):
    search = LinearisedSearch(Model(), Progress(np.full(4, 0.8), box=0.3), 0.01)
    steps, rows = [], 0
    for _ in range(60):
        p = search.advance(5)
        solved = search.take_solved()
        rows += len(solved.points)
        steps.append([p.x.tobytes().hex(), p.cost, p.box, *(getattr(p, n) for n in COUNTS)])
        if p.settled:
            break
        if interrupted:
            search = LinearisedSearch(Model(), continued(p), 0.01)
    violation = SIMPLE_TO_BUILD.violation(p.values[TERMS:])
    return steps, rows == p.solves, violation

(alone, counted, violation), (interrupted, _, _) = path(False), path(True)
lost = LinearisedSearch(Model(), Progress(np.ones(4)), 0.0, [np.full(4, 0.95), np.full(4, 0.8)])
lost.advance(1)
begun = [point.tolist()[0] for point, _ in lost.take_solved().points[:3]]
print(json.dumps([alone == interrupted, len(alone), counted, alone[0][1], alone[-1][1], violation, begun]))
"""


def test_a_linearised_search_reaches_feasible_designs_and_is_continued_to_the_bit() -> None:
    same, slices, counted, first, last, violation, _ = answer(LINEARISED)
    assert same
    assert slices > 3
    assert counted  # each solve is a row
    assert last < first - 10
    assert violation <= 0.008


def test_a_linearised_search_begins_at_the_first_start_that_has_an_equilibrium() -> None:
    *_, begun = answer(LINEARISED)
    assert begun == [1.0, 0.95, 0.8]
