"""Which designs are sent to the official evaluator, and what a checkpoint keeps."""

import json
from dataclasses import replace
from typing import Any

import pytest
from stellar_optimization.problems.design import load_design
from stellar_optimization.problems.quasi_isodynamic import TARGETS
from stellar_optimization.run.parameters import Parameters
from stellar_optimization.search.candidate import Candidate
from stellar_optimization.search.search_state import EXCHANGE, SearchState
from stellar_optimization.search.start import start_of
from stellar_optimization.search.state import State


@pytest.fixture
def state() -> State:
    state = State.initial(load_design("coarse"), Parameters(), workers=2)
    state.start_objective = 1.75
    return state


def _reach(state: State, index: int, elongation: float, violation: float = 0.0) -> None:
    search = state.searches[index]
    search.boundary = {"elongation": elongation}
    search.objective, search.merit = elongation, elongation + 10 * max(0.0, violation - 0.008)
    search.shape = [4.0 * (1 + violation), -0.6, 0.4]


def _low(axis: float = 0.28, **changes: Any) -> dict[str, Any]:
    result = {"error": None, "violations": [0.0, 0.0, 0.0], "feasible": True, "score": 0.95}
    result["metrics"] = {"axis_rotational_transform_over_n_field_periods": axis}
    return {**result, **changes}


def test_each_worker_searches_with_its_own_smoothness(state: State) -> None:
    weights = [search.weight for search in state.searches]
    assert len(set(weights)) == len(weights)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_set_of_designs_has_the_same_searches_however_few_workers_share_them(
    workers: int,
) -> None:
    searches = _searches_for_the_set(workers)
    assert [search.task.guards[-1].limit for search in searches] == list(TARGETS)
    assert len({search.weight for search in searches}) == 1


def test_more_workers_search_for_the_set_again_with_another_smoothness() -> None:
    count = len(TARGETS)
    searches = _searches_for_the_set(count + 2)
    assert [search.task.guards[-1].limit for search in searches[count:]] == list(TARGETS[:2])
    assert searches[count].weight == searches[count + 1].weight != searches[0].weight


def _searches_for_the_set(workers: int) -> list[SearchState]:
    return _state_of_a_set(workers).searches


def _state_of_a_set(workers: int = 1) -> State:
    parameters = Parameters(problem="mhd_stable")
    return State.initial(load_design("coarse"), parameters, workers)


def _of_the_set(search: int, length: float, aspect: float, **low: Any) -> Candidate:
    """A design of P3 that low fidelity has seen: feasible, with this gradient length and aspect ratio."""
    result = _low(violations=[0.0] * 5, objective=length, metrics={"aspect_ratio": aspect}, **low)
    shape = [0.3, -3.6, 0.2, 0.8, 0.01, aspect]
    return Candidate(search, 3, -length, {}, shape, "mhd_stable", low=result)


def test_of_a_set_those_designs_are_scored_that_make_it_larger_most_promising_first() -> None:
    state = _state_of_a_set()
    compact, long, same, refused = (
        _of_the_set(0, 8.0, 10.0),
        _of_the_set(1, 9.0, 12.0),
        _of_the_set(2, 7.9, 10.1),
        _of_the_set(3, 9.0, 9.0, error="no equilibrium"),
    )
    second_of_a_search = _of_the_set(1, 8.9, 11.9)
    state.candidates = [long, same, second_of_a_search, compact]
    assert state.wave(Parameters(scores=9)) == [compact, long]
    state.candidates.append(refused)  # high fidelity may still accept it
    assert state.wave(Parameters(scores=9)) == [refused]
    assert state.wave(Parameters(scores=0)) == []


def test_a_set_counts_what_a_scored_design_promised_and_takes_a_second_one_of_its_search() -> None:
    state = _state_of_a_set()
    scored = _of_the_set(0, 8.0, 10.0)
    scored.high = _low(
        violations=[0.0] * 5, score=0.4, objective=7.8, metrics={"aspect_ratio": 10.0}
    )
    same, compact = _of_the_set(1, 8.0, 10.0), _of_the_set(0, 5.0, 8.0)
    state.candidates = [scored, same, compact]
    assert state.wave(Parameters(scores=9)) == [compact]
    scored.high["objective"] = 6.0  # far below what it had promised
    assert state.wave(Parameters(scores=9)) == [same, compact]


@pytest.mark.parametrize(("length", "worthwhile"), [(8.09, False), (8.11, True)])
def test_a_design_that_adds_little_to_a_set_gets_no_official_minutes(
    length: float, worthwhile: bool
) -> None:
    state = _state_of_a_set()
    scored = _of_the_set(0, 8.0, 10.0)
    scored.high = scored.low
    assert scored.high is not None
    scored.high["score"] = 0.4
    state.candidates = [scored, _of_the_set(1, length, 10.0)]
    assert bool(state.wave(Parameters(scores=9))) == worthwhile


def test_a_design_of_the_same_length_and_another_aspect_ratio_is_not_tried_yet() -> None:
    state = _state_of_a_set()
    state.candidates = [_of_the_set(0, 8.0, 10.0)]
    for aspect, found in [(10.05, 0), (9.0, 1)]:
        shape = [0.3, -3.6, 0.2, 0.8, 0.01, aspect]
        design = {"objective": -8.0, "shape": shape, "modes": 3, "boundary": {}}
        state.searches[0].milestones = [design]
        assert len(state.finalists(2)) == found


def test_a_design_promises_the_longer_length_of_search_and_low_fidelity() -> None:
    design = _of_the_set(0, 7.3, 8.0)
    assert design.low is not None
    for seen, promised in [(4.4, 7.3), (7.5, 7.5)]:
        design.low["objective"] = seen
        assert design.length_and_aspect == (promised, 8.0)
    design.low["error"] = "did not converge"
    assert design.length_and_aspect == (7.3, 8.0)


def test_finalists_of_an_aspect_ratio_reach_it_first_and_differ_in_length_or_aspect() -> None:
    state = _state_of_a_set()
    search = state.searches[TARGETS.index(10.0)]
    for length, aspect in [(8.0, 11.5), (7.0, 10.0), (6.95, 10.05), (6.8, 10.05), (6.95, 9.0)]:
        shape = [0.3, -3.6, 0.2, 0.8, 0.01, aspect]
        design = {"objective": -length, "shape": shape, "modes": 3, "boundary": {}}
        search.milestones.append(design)
    found = state.finalists(4)
    assert [c.shape[-1] for c in found] == [11.5, 10.0, 9.0, 10.05]  # sorted by length again
    assert [c.shape[-1] for c in state.finalists(3)] == [11.5, 10.0, 9.0]
    assert [c.shape[-1] for c in state.finalists(2)] == [10.0, 9.0]


@pytest.mark.parametrize(("start", "modes"), [("coarse", 3), ("full", 4), ("ellipse", 2)])
def test_a_search_begins_with_the_modes_that_its_start_needs(start: str, modes: int) -> None:
    parameters = Parameters(start=start, modes=5)
    searches = State.initial(start_of(parameters), parameters, workers=1).searches
    assert [search.modes for search in searches] == [modes]


def _candidate(elongation: float, search: int = 0, **results: Any) -> Candidate:
    return Candidate(search, 3, elongation, {"elongation": elongation}, **results)


def test_a_design_no_better_than_the_start_is_no_finalist(state: State) -> None:
    _reach(state, 0, 1.75)
    assert state.finalists(2) == []


def test_an_infeasible_design_is_no_finalist(state: State) -> None:
    _reach(state, 0, 1.2, violation=0.02)
    _reach(state, 1, 1.3)
    assert [c.search for c in state.finalists(2)] == [1]


def _improve(state: State, index: int, *elongations: float) -> None:
    for elongation in elongations:
        shape, boundary = [4.0, -0.6, 0.4], {"elongation": elongation}
        state.searches[index].update(
            {"objective": elongation, "merit": elongation, "shape": shape, "boundary": boundary}
        )


def test_finalists_are_the_best_two_of_each_search_and_none_is_taken_twice(state: State) -> None:
    _improve(state, 0, 1.74, 1.2529, 1.2399, 1.2398)
    _improve(state, 1, 1.3544, 1.3177)
    found = state.finalists(2)
    assert [c.objective for c in found] == [1.2398, 1.2529, 1.3177, 1.3544]
    assert found[1].boundary == {"elongation": 1.2529}
    state.candidates += found
    assert state.finalists(2) == []


def test_designs_at_the_end_of_a_stage_are_finalists_of_the_second_choice(state: State) -> None:
    _improve(state, 0, 1.2398)
    for elongation in (1.35, 1.30):
        state.searches[0].milestones.append({"modes": 2, "objective": elongation, "boundary": {}})
    assert [c.objective for c in state.finalists(2)] == [1.2398, 1.30]
    assert [c.objective for c in state.finalists(4)] == [1.2398, 1.30, 1.35]


def test_a_runner_up_no_better_than_the_start_is_no_finalist(state: State) -> None:
    _improve(state, 0, 1.75, 1.4)
    assert [c.objective for c in state.finalists(2)] == [1.4]


def test_the_long_solves_go_to_the_best_accepted_and_the_most_promising_design(
    state: State,
) -> None:
    refused = _candidate(1.20, low=_low(error="did not converge", feasible=False, score=None))
    out = _candidate(1.19, low=_low(violations=[0.0, 0.02, 0.0], feasible=False, score=0.0))
    accepted, worse = _candidate(1.24, low=_low()), _candidate(1.31, low=_low())
    state.candidates += [worse, refused, out, accepted]
    assert state.wave(Parameters(scores=4)) == [accepted, refused]
    assert state.wave(Parameters(scores=1)) == [accepted]


def test_a_design_that_promises_much_less_waits_until_the_better_ones_have_failed(
    state: State,
) -> None:
    good, poor = _candidate(1.25, low=_low()), _candidate(1.55, search=1, low=_low())
    state.candidates += [good, poor]
    assert state.wave(Parameters(scores=2)) == [good]
    good.high = _low(error="did not converge", feasible=False)
    assert state.wave(Parameters(scores=2)) == [poor]


def test_a_design_that_the_evaluator_is_unlikely_to_solve_waits_until_nothing_else_is_left(
    state: State,
) -> None:
    unlikely = _candidate(1.20, low=_low(axis=0.288))
    refused = _candidate(1.24, low=_low(error="did not converge", feasible=False, score=None))
    likely, worse = _candidate(1.25, low=_low(axis=0.287)), _candidate(1.31, search=1, low=_low())
    state.candidates += [unlikely, refused, likely, worse]
    assert state.wave(Parameters(scores=4)) == [likely, refused]
    for done in (likely, refused, worse):
        done.high = _low(error="did not converge", feasible=False)
    assert state.wave(Parameters(scores=9), unlikely=False) == []
    assert state.wave(Parameters(scores=9)) == [unlikely]
    worse.high = _low(
        score=0.966
    )  # something has a score: also who goes on from here leaves it out
    assert state.wave(Parameters(scores=9)) == []


def test_after_an_official_score_only_what_may_beat_it_is_scored(state: State) -> None:
    best = _candidate(1.25, low=_low(), high=_low(score=0.972))
    better, worse = _candidate(1.23, low=_low()), _candidate(1.26, low=_low())
    state.candidates += [best, better, worse]
    assert state.wave(Parameters(scores=4)) == [better]
    assert state.wave(Parameters(scores=1)) == []


def test_the_next_choices_are_scored_when_the_first_fail(state: State) -> None:
    failed = _low(feasible=False, violations=[0.0, 0.03, 0.0], score=0.0)
    second = _candidate(1.32, search=1, low=_low(score=0.958))
    state.candidates += [_candidate(1.25, low=_low(), high=failed), second]
    assert state.wave(Parameters(scores=2)) == [second]


def test_the_search_ends_when_all_have_finished_or_the_time_is_up(state: State) -> None:
    parameters = Parameters(max_seconds=120)
    state.searches[0].finished = True
    assert not state.over(parameters)
    state.seconds = 120
    assert state.over(parameters)
    state.seconds, state.searches[1].finished = 60, True
    assert state.over(parameters)


def _advance(state: State, index: int, slices: int, elongation: float) -> None:
    """So many slices that find this elongation; those between ask whether the search goes on."""
    for _ in range(slices):
        assert state.ready(index, Parameters())
        shape, boundary = [4.0, -0.6, 0.4], {"elongation": elongation}
        state.searches[index].update(
            {"objective": elongation, "merit": elongation, "shape": shape, "boundary": boundary}
        )


def test_a_search_that_lags_far_behind_goes_on_from_the_best_record(state: State) -> None:
    _advance(state, 0, EXCHANGE, 1.3)
    _advance(state, 1, 2 * EXCHANGE, 2.5)
    assert state.ready(1, Parameters())
    assert state.searches[1].boundary == {"elongation": 1.3}
    assert 0.3 < state.searches[1].weight < 0.9


def test_a_search_waits_for_the_record_before_not_for_the_newest(state: State) -> None:
    _advance(state, 1, EXCHANGE, 1.4)
    assert state.ready(1, Parameters())
    _advance(state, 1, EXCHANGE, 1.4)
    assert not state.ready(1, Parameters())
    _advance(state, 0, EXCHANGE, 1.3)
    assert state.ready(1, Parameters())


def test_what_a_search_learns_of_another_does_not_depend_on_which_is_faster() -> None:
    def run(order: list[int]) -> list[Any]:
        state = State.initial(load_design("coarse"), Parameters(), workers=2)
        paths: list[list[float]] = [[3.0, 2.8, 2.6, 2.4], [1.9, 1.5, 1.3, 1.2]]
        for index in order:
            _advance(state, index, EXCHANGE, paths[index].pop(0))
        assert state.ready(0, Parameters()) and state.ready(1, Parameters())
        return [search.boundary for search in state.searches]

    assert run([0, 1, 0, 1, 0, 1]) == run([1, 1, 0, 0, 1, 0]) == run([0, 0, 1, 1, 0, 1])


def test_a_feasible_design_left_for_an_infeasible_one_stays_a_finalist(state: State) -> None:
    _improve(state, 0, 1.3881)
    shape = [4.0, -0.492, 0.4]
    state.searches[0].update({"objective": 1.2889, "shape": shape, "boundary": {}})
    assert not state.searches[0].feasible
    assert [c.objective for c in state.finalists(2)] == [1.3881]


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
    assert state.why_unscored() == (
        "the best design found violates a bound by 0.0200: aspect ratio"
    )
    _reach(state, 0, 1.75)
    assert (
        state.why_unscored() == "no design found promises a score more than 0.001 above the start's"
    )
    state.candidates.append(Candidate(0, 3, 1.2, {}, low=_low(error="did not converge")))
    reason = state.why_unscored() or ""
    assert reason == "the evaluator accepted none of 1 designs; the last: did not converge"
    state.candidates[0].high = _low(score=0.97)
    assert state.why_unscored() is None


def test_low_fidelity_rules_out_shapes_but_not_a_nearly_sufficient_transform() -> None:
    def candidate(low: dict[str, Any]) -> Candidate:
        return Candidate(0, 3, 1.2, {}, low=low)

    assert candidate(_low(violations=[0.0, 0.02, 0.0])).out_of_bounds
    assert not candidate(_low(violations=[0.0, 0.0, 0.02])).out_of_bounds
    assert not candidate(_low(error="did not converge", violations=None)).out_of_bounds
    simple = Candidate(
        0, 3, -7.6, {}, problem="simple_to_build", low=_low(violations=[0, 0, 0.08, 0, 0])
    )
    assert not simple.out_of_bounds
    assert replace(simple, low=_low(violations=[0, 0, 0, 0.08, 0])).out_of_bounds


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
