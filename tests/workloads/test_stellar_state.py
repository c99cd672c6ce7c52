"""Which designs are sent to the official evaluator, and what a checkpoint keeps."""

import json
from typing import Any

import pytest
from stellar_optimization.design import load_design
from stellar_optimization.parameters import Parameters
from stellar_optimization.state import Candidate, State


@pytest.fixture
def state() -> State:
    state = State.initial(load_design("coarse"), Parameters(), workers=2)
    state.start_elongation = 1.75
    return state


def _reach(state: State, index: int, elongation: float, violation: float = 0.0) -> None:
    search = state.searches[index]
    search.boundary = {"elongation": elongation}
    search.elongation, search.merit = elongation, elongation + 10 * max(0.0, violation - 0.008)
    search.shape = [4.0 * (1 + violation), -0.6, 0.4]


def _low(**changes: Any) -> dict[str, Any]:
    result = {"error": None, "violations": [0.0, 0.0, 0.0], "feasible": True, "score": 0.95}
    return {**result, **changes}


def test_each_worker_searches_with_its_own_smoothness(state: State) -> None:
    weights = [search.weight for search in state.searches]
    assert len(set(weights)) == len(weights)


def test_the_start_itself_is_not_scored_again(state: State) -> None:
    _reach(state, 0, 1.75)
    assert state.worth_scoring() is None


def test_the_best_feasible_design_is_scored(state: State) -> None:
    _reach(state, 0, 1.2, violation=0.02)
    _reach(state, 1, 1.3)
    found = state.worth_scoring()
    assert found is not None
    assert found[0] == 1


def test_a_design_no_better_than_one_under_way_is_not_scored(state: State) -> None:
    _reach(state, 0, 1.25)
    state.candidates.append(Candidate(1, 3, 1.24, {"elongation": 1.24}))
    assert state.worth_scoring() is None


def test_a_failed_design_does_not_stand_in_the_way(state: State) -> None:
    _reach(state, 0, 1.25)
    failed = Candidate(1, 3, 1.20, {"elongation": 1.20}, low=_low(error="did not converge"))
    state.candidates.append(failed)
    found = state.worth_scoring()
    assert found is not None
    assert found[1].elongation == 1.25


def test_a_design_like_a_failed_one_of_its_search_is_not_tried_again(state: State) -> None:
    _reach(state, 0, 1.2206)
    _reach(state, 1, 1.2411)
    failed = Candidate(0, 3, 1.2218, {}, low=_low(error="did not converge"))
    state.candidates.append(failed)
    found = state.worth_scoring()
    assert found is not None
    assert found[0] == 1


def test_a_spare_worker_scores_the_second_choice(state: State) -> None:
    _reach(state, 0, 1.22)
    _reach(state, 1, 1.24)
    state.candidates.append(Candidate(0, 3, 1.22, {}))
    assert state.worth_scoring() is None
    found = state.worth_scoring(spare=True)
    assert found is not None
    assert found[0] == 1


def test_a_search_that_has_hardly_begun_is_not_ready_for_scoring(state: State) -> None:
    state.searches[0].solves, state.searches[1].solves = 41, 10
    assert not state.explored()
    state.searches[1].solves = 30
    assert state.explored()


def test_a_late_job_asks_for_no_better_score_once_it_has_one(state: State) -> None:
    parameters = Parameters(max_seconds=40, extra_scoring_seconds=35)
    state.seconds = 76
    assert not state.scored(parameters)
    high = {"error": None, "feasible": True, "score": 0.97}
    state.candidates.append(Candidate(0, 3, 1.25, {}, low=_low(), high=high))
    assert state.scored(parameters)
    state.seconds = 74
    assert not state.scored(parameters)


def test_low_fidelity_rules_out_shapes_but_not_a_nearly_sufficient_transform() -> None:
    def candidate(low: dict[str, Any]) -> Candidate:
        return Candidate(0, 3, 1.2, {}, low=low)

    assert candidate(_low(violations=[0.0, 0.02, 0.0])).failed
    assert not candidate(_low(violations=[0.0, 0.0, 0.02])).failed


def test_only_high_fidelity_is_called_official_score(state: State) -> None:
    state.candidates.append(Candidate(0, 3, 1.2, {}, low=_low(score=0.96)))
    assert state.official_score() is None
    assert state.official_low_score() == 0.96
    state.candidates[0].high = _low(score=0.975)
    assert state.official_score() == 0.975
    assert state.row()["official_score"] == 0.975


def test_unknown_values_are_left_out_of_the_metrics(state: State) -> None:
    assert "official_score" not in state.row()
    assert "elongation" not in state.row()


def test_a_checkpoint_holds_the_whole_state(state: State) -> None:
    _reach(state, 0, 1.3)
    state.candidates.append(Candidate(0, 3, 1.2, {}, low=_low()))
    state.step, state.seconds = 7, 31.5
    assert State.from_json(json.loads(json.dumps(state.to_json()))) == state
