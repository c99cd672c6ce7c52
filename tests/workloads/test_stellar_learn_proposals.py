"""Section features, proposals and their comparison, by the workload's own Python."""

from typing import Any

import pytest
from stellar_python import answer, needs_python

pytestmark = needs_python


def _run(program: str) -> Any:
    return answer("import json\nimport numpy as np\n" + program)


def test_sections_of_a_rotating_ellipse_have_its_area_and_elongation() -> None:
    program = """
from stellar_optimization.learn.coefficients import features
from stellar_optimization.learn.sections import PLANES, section_features
from stellar_optimization.search.start import rotating_ellipse
ellipse = rotating_ellipse(3, aspect=5.0, elongation=2.25)
r, z = np.array([ellipse.r_cos]), np.array([ellipse.z_sin])
r[:, 2] = 0.0  # without its D-shape
inputs = np.append(features(r, z, 2), [[3.0]], axis=1)
found = section_features(inputs, 2)[0].reshape(6, PLANES)
print(json.dumps(np.exp(found[:2]).tolist() + found[2:].tolist()))
"""
    area, elongation, stretch, tilt, r_centre, z_centre = _run(program)
    assert area == pytest.approx([3.14159 / 25] * 5, rel=1e-3)
    assert elongation == pytest.approx([2.25] * 5, rel=1e-3)
    assert stretch[0] == pytest.approx(-stretch[-1]) and abs(stretch[0]) > 0.5  # half a turn
    assert tilt[0] == pytest.approx(0, abs=1e-6) and abs(tilt[2]) > 0.5
    assert r_centre[0] == pytest.approx(1.1) and r_centre[-1] == pytest.approx(0.9)
    assert z_centre[0] == pytest.approx(0, abs=1e-6)


def test_proposals_are_the_best_candidates_and_apart_from_each_other() -> None:
    program = """
from stellar_optimization.learn.propose import propose
from stellar_optimization.learn.surrogate import Prediction

class Surrogate:  # a bowl around 0.3; no equilibrium on one side
    class scaling:
        values = staticmethod(lambda targets: targets)
    def predict(self, inputs):
        size = np.linalg.norm(inputs[:, :-1] - 0.3, axis=1)
        members = np.stack([size, size])[:, :, None]
        return Prediction(members, members[0], (inputs[:, 0] < 0.35).astype(float))

random = np.random.default_rng(1)
pool = np.append(random.normal(size=(50, 4)), np.full((50, 1), 3.0), axis=1)
cost = lambda values, inputs: values[..., 0]
def starts(seed):
    return propose(Surrogate(), cost, pool[:25], pool[25:], count=8000, starts=5, seed=seed)
found = starts(0)
gaps = [float(np.linalg.norm(a.inputs - b.inputs)) for a in found for b in found if a is not b]
print(json.dumps([
    [p.cost for p in found], [p.solved for p in found], min(gaps),
    [p.inputs.tolist() for p in found] == [p.inputs.tolist() for p in starts(0)],
]))
"""
    costs, solved, gap, same = _run(program)
    assert costs == sorted(costs) and costs[0] < 0.1 and costs[-1] < 0.6
    assert solved == [1.0] * 5
    assert gap >= 0.15 / 4 and same


def test_a_comparison_counts_pairs_and_says_when_proposals_do_not_help() -> None:
    program = """
from stellar_optimization.learn.comparison import compare, verdict, wins
inf = float("inf")
few = [1.0, 1.1, 1.2, 1.0]
better = compare({"proposed": few, "cold": [2.0, inf, 3.0, 2.5], "archived": few})
print(json.dumps([wins([1, 2], [2, 3]), wins([inf], [inf]), better, verdict(better)]))
"""
    share, even, figures, said = _run(program)
    assert (share, even) == (0.875, 0.5)
    assert figures["proposed_wins"] == 1.0 and figures["cold_without_equilibrium"] == 1
    assert said.startswith("proposed starts do better than cold starts: 100% of pairs won")
    assert "are not shown to differ from the best designs found before" in said


def test_the_surrogate_is_the_same_when_read_again() -> None:
    program = """
from stellar_optimization.learn import network
from stellar_optimization.learn.scaling import Scaling
from stellar_optimization.learn.surrogate import Surrogate
shape = network.Shape(features=9, modes=1, metrics=2, width=8, batch=4, epochs=10, folds=2)
members = [network.to_arrays(network.initial(shape, member)) for member in range(3)]
halves = [np.zeros(9), np.ones(9), np.zeros(30), np.ones(30), np.zeros(2), np.ones(2)]
scaling = Scaling(*halves, np.array([True, False]))
stacked = [np.stack(arrays) for arrays in zip(*members)]
first = Surrogate("geometrical", ["one", "two"], 1, scaling, stacked, np.ones(2))
again = Surrogate.from_bytes(first.to_bytes())
inputs = 0.1 * np.random.default_rng(0).normal(size=(7, 9))
a, b = first.predict(inputs), again.predict(inputs)
same = bool((a.members == b.members).all())
print(json.dumps([same, again.metrics, a.members.shape, a.deviation.min()]))
"""
    same, metrics, shape, least = _run(program)
    assert same and metrics == ["one", "two"] and shape == [3, 7, 2] and least > 0


def test_finalists_are_feasible_unlike_each_other_and_best_first() -> None:
    program = """
from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.learn.finalists import finalists, official, reported
metrics = ["elongation_00", "elongation_01", "aspect_ratio", "triangularity", "iota_per_period"]
fit = [3.9, -0.6, 0.31]
values = np.array([
    [1.5, 1.4, *fit], [1.1, 1.2, 4.2, -0.6, 0.31], [1.3, 1.35, *fit], [1.0, 1.3501, *fit],
    [np.nan] * 5, [1.2, 1.8, *fit],
])
inputs = np.append(0.1 * np.random.default_rng(0).normal(size=(6, 8)), np.full((6, 1), 3.0), axis=1)
solved, none = ~np.isnan(values[:, 0]), np.zeros((0, 5, 8))
data = Dataset("geometrical", metrics, 1, inputs, values, solved, none, np.zeros(0, int), np.arange(6))
found = finalists(data, 2)
no = {"feasible": False, "error": None, "violations": [0.5, 0.02, -0.1], "score": 0.0}
yes = {"feasible": True, "objective": 1.5, "violations": [0.002], "score": 0.94, "evaluator": "e"}
print(json.dumps([
    [f.elongation for f in finalists(data, 9)], [f.elongation for f in found],
    found[0].boundary["n_field_periods"],
    official(found, [no, yes]), official(found, [no, no]), official([], []),
    reported(found, [no, no]).elongation, reported(found, [no, yes]).elongation, reported([], []),
]))
"""
    everyone, chosen, periods, accepted, refused, none, *reported = _run(program)
    assert everyone == [1.35, 1.5, 1.8] and chosen == [1.35, 1.5] and periods == 3
    assert (accepted["official_score"], accepted["feasibility"]) == (0.94, 0.002)
    assert accepted["screening_elongation"] == 1.5 and "no_official_score" not in accepted
    assert refused["no_official_score"] == (
        "the evaluator accepted none of 2 designs; the last: a bound is violated by 0.5000"
    )
    assert none["no_official_score"] == "no search found a feasible design"
    assert reported == [1.35, 1.5, None]


def test_low_fidelity_leaves_out_what_is_infeasible_and_puts_unlikely_designs_last() -> None:
    program = """
from stellar_optimization.learn.finalists import Finalist, gated
def low(axis, violation=0.0):
    metrics = {"axis_rotational_transform_over_n_field_periods": axis}
    return {"error": None, "violations": [violation, 0.0, 0.0], "metrics": metrics}
designs = [Finalist({}, elongation) for elongation in (1.1, 1.2, 1.3, 1.4)]
unsolved = {"error": "no result after 40 s of CPU time"}
def order(*lows):
    return [d.elongation for d in gated(designs[: len(lows)], lows)]
print(json.dumps([
    order(low(0.29), low(0.28, 0.02), unsolved, low(0.28)), order(low(0.28, 1), low(0.28, 1)), order(),
]))
"""
    assert _run(program) == [[1.3, 1.4, 1.1], [1.1], []]
