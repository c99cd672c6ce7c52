"""Which designs are sent to the official evaluator, and what a checkpoint keeps."""

import json
from typing import Any

import pytest
from stellar_optimization.candidate import Candidate
from stellar_optimization.design import load_design
from stellar_optimization.parameters import Parameters
from stellar_optimization.state import State


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
    assert found.search == 1


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
    assert found.elongation == 1.25


def test_a_design_like_a_failed_one_of_its_search_is_not_tried_again(state: State) -> None:
    _reach(state, 0, 1.2206)
    _reach(state, 1, 1.2411)
    failed = Candidate(0, 3, 1.2218, {}, low=_low(error="did not converge"))
    state.candidates.append(failed)
    found = state.worth_scoring()
    assert found is not None
    assert found.search == 1


def _improve(state: State, index: int, *elongations: float) -> None:
    for elongation in elongations:
        shape, boundary = [4.0, -0.6, 0.4], {"elongation": elongation}
        state.searches[index].update(
            {"elongation": elongation, "merit": elongation, "shape": shape, "boundary": boundary}
        )


def test_finalists_are_the_best_two_of_each_search_and_none_is_taken_twice(state: State) -> None:
    _improve(state, 0, 1.74, 1.2529, 1.2399, 1.2398)
    _improve(state, 1, 1.3544, 1.3177)
    found = state.finalists()
    assert [c.elongation for c in found] == [1.2398, 1.2529, 1.3177, 1.3544]
    assert found[1].boundary == {"elongation": 1.2529}
    state.candidates += found
    assert state.finalists() == []


def test_a_runner_up_no_better_than_the_start_is_no_finalist(state: State) -> None:
    _improve(state, 0, 1.75, 1.4)
    assert [c.elongation for c in state.finalists()] == [1.4]


def test_the_long_solve_waits_for_all_low_scores_and_goes_to_the_best(state: State) -> None:
    first = Candidate(1, 3, 1.3177, {}, low=_low(score=0.9583))
    late = Candidate(0, 3, 1.2529, {})
    refused = Candidate(0, 3, 1.2, {}, low=_low(error="did not converge"))
    state.candidates += [first, late, refused]
    assert state.next_to_score([]) == (late, "low")
    assert state.next_to_score([late]) is None
    late.low = _low(score=0.9622)
    assert state.next_to_score([]) == (late, "high")
    assert state.next_to_score([late]) is None


def test_after_an_official_score_only_what_may_beat_it_is_scored(state: State) -> None:
    best = Candidate(0, 3, 1.25, {}, low=_low(score=0.962), high=_low(score=0.972))
    worse = Candidate(1, 3, 1.32, {}, low=_low(score=0.958))
    state.candidates += [best, worse]
    assert state.next_to_score([]) is None
    better = Candidate(0, 3, 1.24, {}, low=_low(score=0.961))
    state.candidates.append(better)
    assert state.next_to_score([]) == (better, "high")
    better.high = _low(error="did not converge", feasible=False)
    assert state.next_to_score([]) is None


def test_the_second_choice_is_scored_when_the_first_fails(state: State) -> None:
    failed = _low(feasible=False, violations=[0.0, 0.03, 0.0], score=0.0)
    second = Candidate(1, 3, 1.32, {}, low=_low(score=0.958))
    state.candidates += [Candidate(0, 3, 1.25, {}, low=_low(score=0.96), high=failed), second]
    assert state.next_to_score([]) == (second, "high")


def test_the_search_ends_with_the_solves_or_the_time_whichever_is_first(state: State) -> None:
    parameters = Parameters(max_solves=30, max_seconds=120)
    state.searches[0].solves, state.searches[0].failed_solves = 140, 110
    state.searches[1].solves, state.searches[1].failed_solves = 31, 5
    _reach(state, 0, 1.25)
    _reach(state, 1, 1.3)
    assert not state.over(parameters)
    state.seconds = 120
    assert state.over(parameters)
    state.seconds, state.searches[1].solves = 60, 35
    assert state.over(parameters)
    assert not state.over(Parameters(max_solves=0))


def test_a_restarted_search_gets_more_solves_and_ends_at_a_feasible_design(state: State) -> None:
    parameters, search = Parameters(max_solves=30), state.searches[0]
    search.solves = 29
    state.restart(parameters)
    _reach(state, 0, 1.25)
    search.solves = 44
    assert not search.finished(parameters)
    search.solves = 45
    assert search.finished(parameters)
    _reach(state, 0, 1.25, violation=0.016)
    assert not search.finished(parameters)


def test_a_feasible_design_left_for_an_infeasible_one_stays_a_finalist(state: State) -> None:
    _improve(state, 0, 1.3881)
    shape = [4.0, -0.492, 0.4]
    state.searches[0].update({"elongation": 1.2889, "shape": shape, "boundary": {}})
    assert not state.searches[0].feasible
    assert [c.elongation for c in state.finalists()] == [1.3881]


def test_a_search_that_settles_before_its_last_mode_is_not_finished(state: State) -> None:
    search = state.searches[0]
    search.settled = True
    assert search.finished(Parameters(modes=3))
    assert not search.finished(Parameters(modes=4))


def test_all_official_figures_are_of_one_design(state: State) -> None:
    scored = Candidate(0, 3, 1.3881, {}, low=_low(score=0.9519), high=_low(score=0.9572))
    state.candidates += [scored, Candidate(0, 3, 1.2452, {}, low=_low(score=0.9622))]
    assert state.reported() is scored
    assert state.official_low_score() == 0.9519
    assert state.row()["official_low_score"] == 0.9519


def test_the_start_s_score_is_not_the_job_s(state: State) -> None:
    assert state.official_low_score() is None


def test_a_job_without_an_official_score_says_why(state: State) -> None:
    assert state.why_unscored() == "no search found an equilibrium"
    _reach(state, 0, 1.2, violation=0.02)
    assert state.why_unscored() == "the best design found violates a bound by 0.0200"
    _reach(state, 0, 1.75)
    assert state.why_unscored() == "no design found is better than the start"
    state.candidates.append(Candidate(0, 3, 1.2, {}, low=_low(error="did not converge")))
    reason = state.why_unscored() or ""
    assert reason == "the evaluator accepted none of 1 designs; the last: did not converge"
    state.candidates[0].high = _low(score=0.97)
    assert state.why_unscored() is None


def test_a_search_that_has_hardly_begun_is_not_ready_for_scoring(state: State) -> None:
    state.searches[0].solves, state.searches[1].solves = 140, 10
    state.searches[0].failed_solves = 110
    assert not state.explored()
    state.searches[1].solves = 20
    assert state.explored()


def test_a_late_job_asks_for_no_better_score_once_it_has_one(state: State) -> None:
    parameters = Parameters(extra_scoring_seconds=35)
    state.seconds, state.search_seconds = 76, 40
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
