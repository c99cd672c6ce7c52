"""What a job costs, and when a budget refuses one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ml_platform.budget import Held, Spending, check_budget, cost_of, month_of, worker_hours
from ml_platform.errors import NotAllowedError
from ml_platform.job import Phase
from ml_platform.pools import Pool
from ml_platform.state import Outcome

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
POOL = Pool(name="gpu", title="GPU", cpu=8, memory="8Gi", gpus=1, price_per_worker_hour=2)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def ended(hours: float | None, begun: float | None = 0, attempts: int = 9) -> Outcome:
    return Outcome(
        phase=Phase.SUCCEEDED,
        admitted_at=None if begun is None else at(begun),
        ended_at=None if hours is None else at(hours),
        attempts=attempts,
    )


# Outcome, times of attempts, hours that each worker was the job's. It was submitted an hour before NOON.
HELD = {
    "no records: from admission to end": (ended(3), [], 3),
    "its machines come up before the first attempt": (ended(3), [(1, 3)], 3),
    "it waits between two attempts": (ended(10), [(1, 2), (8, 10)], 4),
    "an attempt's end was not recorded": (ended(10), [(1, None), (8, 10)], 10),
    "the last attempt's end was not recorded": (ended(10), [(1, 2), (8, None)], 4),
    "the program says that it ended long before": (ended(10), [(1, 2)], 10),
    "the program says that it had more attempts": (ended(10, attempts=1), [(1, 2), (9, 10)], 10),
    "the program says that it had many more": (
        ended(10, attempts=1),
        [(1, 2), (3, 3), (4, 4), (9, 10)],
        10,
    ),
    "a new cluster had it for a moment": (ended(80, 79, attempts=1), [(1, 9), (79.5, 80)], 9),
    "its attempts before a new cluster": (
        ended(80, 79, attempts=1),
        [(1, 2), (3, 9), (79.5, 80)],
        8,
    ),
    "it is cancelled while it runs": (ended(10), [(1, None)], 10),
    "an old attempt lives on beside the next": (ended(5), [(0, 4), (2, 5)], 5),
    "only its newest admission is known": (ended(10, 8), [(1, 2), (8, 10)], 3),
    "no admission is known": (ended(10, None), [(1, 2), (8, 10)], 3),
    "a record lies before the submission": (ended(3), [(-5, 3)], 4),
    "a record lies after the end": (ended(3), [(0, 9), (9, 12)], 3),
    "attempts begin in another order than they count": (ended(10), [(9, 1), (1, 9), (9, 1)], 10),
    "never admitted": (ended(3, None), [], 0),
    "no end is known": (ended(None), [], 0),
    "clocks differ": (ended(-1), [], 0),
}


def hours_of(outcome: Outcome, attempts: list[tuple[float, float | None]], waiting: bool) -> float:
    times = [(at(begin), None if end is None else at(end)) for begin, end in attempts]
    cost = cost_of(POOL, 3, Held(at(-1), outcome, times, waiting), "USD")
    assert cost is not None and cost.currency == "USD"
    return cost.amount / (2 * 3)


@pytest.mark.parametrize("case", HELD)
def test_a_job_costs_what_its_workers_were_held_for(case: str):
    outcome, attempts, hours = HELD[case]
    assert hours_of(outcome, attempts, waiting=False) == pytest.approx(hours)


@pytest.mark.parametrize(("attempts", "hours"), [([(1, 2)], 2), ([(1, None)], 10), ([(1, -7)], 1)])
def test_a_job_that_is_cancelled_while_it_waits_to_come_back_pays_until_it_was_sent_away(
    attempts: list[tuple[float, float | None]], hours: float
):
    assert hours_of(ended(10), attempts, waiting=True) == pytest.approx(hours)


def test_a_free_pool_costs_nothing_to_speak_of():
    free = POOL.model_copy(update={"price_per_worker_hour": 0})
    assert cost_of(free, 3, Held(at(-1), ended(3), []), "USD") is None


def test_the_most_that_a_job_takes_is_all_workers_for_the_whole_limit():
    assert worker_hours(4, "90m") == pytest.approx(6)


def test_months_are_those_of_utc():
    late = datetime.fromisoformat("2026-11-30T23:30:00-02:00")
    assert (month_of(NOON), month_of(late)) == ("2026-11", "2026-12")
    assert month_of(datetime(2026, 11, 30, 23)) == "2026-11"  # as somebody wrote it


def month(spent: float, reserved: float) -> Spending:
    return Spending("2026-11", 2000, spent, reserved, "USD")


@pytest.mark.parametrize("cost", [0, 100, 500])
def test_what_fits_is_admitted(cost: float):
    check_budget(cost, "team", month(1000, 500))


def test_what_fits_exactly_is_admitted_whatever_floats_say():
    check_budget(0.85, "team", Spending("2026-11", 2.55, 0, 2 * 0.85, "USD"))


def test_what_does_not_fit_is_refused_with_the_figures_and_the_way_out():
    with pytest.raises(NotAllowedError) as caught:
        check_budget(1500.5, "edge", month(1000, 500))
    assert caught.value.message == (
        "the job may cost 1,500.50 USD and edge has 500.00 of its 2,000.00 USD for 2026-11 left "
        "(1,000.00 spent, 500.00 reserved for active jobs)"
    )
    assert caught.value.field == "team"
    assert "teams/edge/team.yaml" in str(caught.value.hint)


def test_what_is_free_runs_although_nothing_is_left():
    spending = month(1900, 500)
    assert spending.left == 0
    check_budget(0, "team", spending)
    with pytest.raises(NotAllowedError):
        check_budget(0.01, "team", spending)
