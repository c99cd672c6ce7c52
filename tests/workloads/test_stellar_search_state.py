"""When a search goes on with more modes, when with more smoothness, when it ends."""

from typing import Any

import pytest
from stellar_optimization.problems.quasi_isodynamic import TARGETS
from stellar_optimization.run.parameters import Parameters
from stellar_optimization.search.search_state import SMOOTHINGS, SearchState

STAGES = Parameters(modes=4, stage_solves=35, max_solves=0)  # 70 with two modes
COUNTED = Parameters(modes=2, max_solves=30)


@pytest.fixture
def search() -> SearchState:
    return SearchState({"m": 2}, modes=2, weight=0.1, usual_weight=0.1)


def _find(search: SearchState, solves: int, violation: float = 0.0, **more: Any) -> None:
    shape = [4.0 * (1 + violation), -0.6, 0.4]
    found = {"objective": 1.5, "merit": 1.5, "shape": shape, "x": [1.0], "origin": [1.0]}
    search.update({**found, "solves": solves, "boundary": {"at": solves}, **more})


def test_a_stage_that_has_had_its_share_is_followed_by_one_mode_more(search: SearchState) -> None:
    _find(search, 69)
    search.turn(STAGES)
    assert search.modes == 2
    _find(search, 71)
    search.turn(STAGES)
    assert (search.modes, search.stage, search.stage_began) == (3, 1, 71)
    assert search.x is None and search.origin is None and search.journal == []
    assert [design["boundary"] for design in search.milestones] == [{"at": 71}]


def test_a_design_that_is_rougher_and_less_elongated_is_a_milestone_too(
    search: SearchState,
) -> None:
    sharper = {"modes": 2, "objective": 1.4, "boundary": {}, "shape": [4.0, -0.6, 0.4]}
    _find(search, 71, sharpest=sharper)
    assert [design["objective"] for design in search.finished_designs()] == [1.4, 1.5]
    search.turn(STAGES)
    assert search.sharpest is None
    assert search.milestones[0] == sharper


def test_a_stage_without_a_feasible_design_goes_on(search: SearchState) -> None:
    _find(search, 100, violation=0.02)
    search.turn(STAGES)
    assert search.modes == 2


def test_a_problem_that_few_modes_may_not_solve_goes_on_with_more_until_its_solves_are_spent() -> (
    None
):
    budget = Parameters(problem="simple_to_build", modes=3, stage_solves=40, max_solves=200)
    search = SearchState({"m": 2}, 2, weight=0.1, usual_weight=0.1, problem="simple_to_build")
    infeasible, feasible = [9.0, 0.3, -3.0, 0.1, 4.0], [9.0, 0.3, -4.0, 0.1, 4.0]
    for solves, modes in ((14, 2), (15, 3)):  # a quarter of 40 solves with three modes
        _find(search, solves, shape=infeasible)
        search.turn(budget)
        assert search.modes == modes
    for solves, shape in ((150, infeasible), (190, feasible)):
        _find(search, solves, shape=shape)
        search.turn(budget)
        assert not search.finished
    _find(search, 200, shape=feasible)
    search.turn(budget)
    assert search.finished


def test_such_a_problem_goes_on_with_more_modes_as_soon_as_few_are_feasible() -> None:
    budget = Parameters(problem="simple_to_build", modes=4, stage_solves=40, max_solves=200)
    search = SearchState({"m": 2}, 2, weight=0.1, usual_weight=0.1, problem="simple_to_build")
    _find(search, 10, shape=[9.0, 0.3, -4.0, 0.1, 4.0])
    search.turn(Parameters(problem="simple_to_build", modes=3, stage_solves=0, max_solves=200))
    assert search.modes == 2  # waits until it has settled
    for _ in range(2):  # again by an attempt that resumes before the stage's first slice
        search.turn(budget)
        assert (search.modes, search.stage_began) == (3, 10)
    assert [design["boundary"] for design in search.milestones] == [{"at": 10}]


def test_such_a_problem_takes_its_time_where_smoothness_was_asked_for() -> None:
    budget = Parameters(problem="simple_to_build", modes=3, stage_solves=40, max_solves=200)
    search = SearchState({"m": 2}, 2, weight=0.3, usual_weight=0.1, problem="simple_to_build")
    for solves, modes in ((10, 2), (15, 3)):
        _find(search, solves, shape=[9.0, 0.3, -4.0, 0.1, 4.0])
        search.turn(budget)
        assert search.modes == modes


def test_a_search_that_joins_another_looks_at_its_design_first() -> None:
    budget = Parameters(problem="simple_to_build", modes=4, stage_solves=40, max_solves=200)
    search = SearchState({"m": 2}, 2, weight=0.1, usual_weight=0.1, problem="simple_to_build")
    _find(search, 10, shape=[9.0, 0.3, -4.0, 0.1, 4.0])
    search.join({"modes": 3, "weight": 0.1, "boundary": {"of": "another"}}, 1)
    search.turn(budget)
    assert (search.modes, search.boundary) == (3, {"of": "another"})
    # Nothing is known of it yet; what the search had found itself stays a finalist.
    assert search.finished_designs() == [] and not search.feasible
    assert [design["boundary"] for design in search.milestones] == [{"at": 10}]
    _find(search, 12, shape=[9.0, 0.3, -4.0, 0.1, 4.0])
    assert search.runner_up is None


@pytest.mark.parametrize(
    ("aspect", "feasible", "own", "goes_there"),
    [
        (10.0, True, 10.0, True),
        (12.0, False, 10.0, True),  # it finds the way from there
        (12.0, True, 10.0, False),  # it has something better for its own aim
        (12.0, True, 12.5, True),  # what it has is still farther from its own aim
        (12.0, True, 10.2, False),  # and nearer
        (14.0, False, 10.0, False),  # too far
    ],
)
def test_a_search_for_an_aspect_ratio_joins_one_that_is_near_it(
    aspect: float, feasible: bool, own: float, goes_there: bool
) -> None:
    search = SearchState({}, 3, 0.1, 0.1, "mhd_stable", TARGETS.index(10.0))
    _find(search, 10, merit=-1.0, shape=[0.3, -3.6, 0.2, 0.8, 0.01 if feasible else -0.1, own])
    record = {"modes": 3, "weight": 0.1, "merit": -9.0, "boundary": {"of": "another"}}
    record["shape"] = [0.3, -3.6, 0.2, 0.8, 0.01, aspect]
    assert search.lags(record, 1) == goes_there


def test_a_search_with_an_aim_goes_on_from_another_search_once_per_modes() -> None:
    search = SearchState({}, 3, 0.1, 0.1, "mhd_stable", TARGETS.index(10.0))
    shape = [0.3, -3.6, 0.2, 0.8, 0.01, 10.0]
    _find(search, 10, merit=-1.0, shape=shape)
    record = {"modes": 3, "weight": 0.1, "merit": -9.0, "boundary": {}, "shape": shape}
    assert search.lags(record, 1)
    search.join(record, 1)
    assert not search.lags(record, 1)
    assert search.lags({**record, "modes": 4}, 1) and search.lags(record, 2)


def test_a_search_for_a_set_keeps_the_design_it_left_for_another_aspect_ratio() -> None:
    search = SearchState({}, 3, 0.1, 0.1, "mhd_stable", TARGETS.index(10.0))
    for solves, aspect in [(10, 12.0), (12, 11.95), (14, 10.0)]:
        _find(search, solves, merit=-8.0, shape=[0.3, -3.6, 0.2, 0.8, 0.01, aspect])
        assert search.runner_up is None or aspect == 10.0
    assert search.runner_up is not None and search.runner_up["shape"][-1] == 11.95


def test_the_last_stage_ends_the_search(search: SearchState) -> None:
    search.modes = 4
    _find(search, 71)
    search.turn(STAGES)
    assert search.finished


def test_a_settled_search_with_fewer_than_its_modes_has_not_finished(search: SearchState) -> None:
    _find(search, 10, settled=True)
    search.turn(Parameters(modes=3, max_solves=0))
    assert not search.finished and not search.settled and search.modes == 3


def test_a_boundary_that_cannot_have_more_modes_is_smoothed(search: SearchState) -> None:
    nothing = {"objective": None, "merit": None, "shape": [], "settled": True}
    for weight in (0.3, 0.9)[:SMOOTHINGS]:
        _find(search, search.solves + 71)
        search.turn(STAGES)
        assert (search.modes, search.weight) == (3, 0.1)
        search.update({**nothing, "solves": search.solves + 1})
        search.turn(STAGES)
        assert search.modes == 2
        assert search.weight == pytest.approx(weight)
    _find(search, search.solves + 71)
    search.turn(STAGES)
    search.update(nothing)
    search.turn(STAGES)
    assert search.finished


def test_a_start_without_equilibrium_ends_its_search(search: SearchState) -> None:
    search.update({"objective": None, "merit": None, "shape": [], "settled": True})
    search.turn(STAGES)
    assert search.finished


def test_solves_are_counted_without_the_failed_ones_and_end_at_a_feasible_design(
    search: SearchState,
) -> None:
    _find(search, 39, failed_solves=10)
    search.turn(COUNTED)
    assert not search.finished
    _find(search, 40, violation=0.02)
    search.turn(COUNTED)
    assert not search.finished
    _find(search, 41)
    search.turn(COUNTED)
    assert search.finished


def test_a_search_that_finds_nothing_feasible_ends_a_little_later(search: SearchState) -> None:
    _find(search, 44, violation=0.02)
    search.turn(COUNTED)
    assert not search.finished
    _find(search, 45, violation=0.02)
    search.turn(COUNTED)
    assert search.finished
