"""What jobs cost, and what a team may still spend in a month. Pure.

As batch systems do it, an active job is reserved for with the most that one attempt may cost; when it
ends, what it has cost takes that place. Further attempts may take a team past its budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ml_platform.errors import NotAllowedError
from ml_platform.job import duration
from ml_platform.pools import Pool
from ml_platform.state import Cost, Outcome

Times = Sequence[tuple[datetime, datetime | None]]
"""Of each attempt in order, when its launcher began, and ended it where that is recorded."""


@dataclass(frozen=True)
class Spending:
    """A team's month in UTC, `2026-11`, in `currency`: `spent` by jobs that ended in it, `reserved` for
    active ones."""

    month: str
    budget: float
    spent: float
    reserved: float
    currency: str

    @property
    def left(self) -> float:
        """Never below 0: a budget may be lowered, and an attempt more than reserved for be needed."""
        return max(0.0, self.budget - self.spent - self.reserved)


def month_of(moment: datetime) -> str:
    """The calendar month in UTC, `2026-11`; raises OverflowError at the ends of the calendar."""
    known = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return known.astimezone(UTC).strftime("%Y-%m")


def worker_hours(workers: int, max_duration: str) -> float:
    """The most that one attempt takes: all workers for the whole time limit."""
    return workers * (duration(max_duration) / timedelta(hours=1))


@dataclass(frozen=True)
class Held:
    """What says for how long a job had its workers.

    `attempts` are records of the run directory, which are the job's own to write. They are believed
    from `submitted` to the job's end, of more than the cluster counted only those before the admission
    that it knows, and on how the last one ended only if the job was `waiting` for another when it was
    cancelled.
    """

    submitted: datetime
    outcome: Outcome
    attempts: Times
    waiting: bool = False

    def time(self) -> timedelta:
        """From the admission to the end, less the time between an attempt's end and the next one."""
        ended, attempts = self.outcome.ended_at, self.attempts
        begun = self.outcome.admitted_at or self.outcome.started_at
        if ended is None:
            return timedelta()
        seen: list[tuple[datetime, datetime]] = []
        for claimed, end in attempts:
            at = max(claimed, self.submitted)
            if at < ended and (not seen or at > seen[-1][0]):
                seen.append((at, end or ended))
        if seen:  # a service that was started again has seen the newest admission only
            begun = min(begun or seen[0][0], seen[0][0])
        if begun is None or ended <= begun:
            return timedelta()
        if not seen:
            return ended - begun
        if len(attempts) > max(1, self.outcome.attempts):
            return self._of_a_rebuilt_cluster(seen, begun, ended)
        if not self.waiting:
            seen[-1] = (seen[-1][0], ended)
        held = seen[0][0] - begun  # its machines come up
        following = [at for at, _ in seen[1:]] + [ended]
        for (at, end), then in zip(seen, following, strict=True):
            held += max(timedelta(), min(end, then) - at)
        return held

    def _of_a_rebuilt_cluster(
        self, seen: list[tuple[datetime, datetime]], begun: datetime, ended: datetime
    ) -> timedelta:
        """More attempts than the cluster counts: made anew it counts from its own admission. All since
        that, and of what was before it the time of the attempts; of one whose end was not recorded, as it
        was lost with its cluster, until then."""
        never = ended if self.waiting else begun
        anew = self.outcome.admitted_at or self.outcome.started_at or never
        following = [at for at, _ in seen[1:]] + [anew]
        before = [
            max(timedelta(), min(end, then, anew) - at)
            for (at, end), then in zip(seen, following, strict=True)
        ]
        return sum(before, max(timedelta(), ended - anew))


def cost_of(pool: Pool, workers: int, held: Held, currency: str) -> Cost | None:
    """What an ended job has cost: all of its workers for as long as it had them. None for a pool
    without a price."""
    if not pool.price_per_worker_hour:
        return None
    hours = held.time() / timedelta(hours=1)
    amount = round(pool.price_per_worker_hour * workers * hours, 4)
    return Cost(amount=amount, currency=currency)


def check_budget(cost: float, team: str, spending: Spending) -> None:
    """Raise NotAllowedError where a job may cost more than its team has left. What is free may
    always run."""
    # Rounded: 2.55 less twice 0.85 is a bit less than 0.85.
    if not cost or round(cost - spending.left, 4) <= 0:
        return
    unit = spending.currency
    raise NotAllowedError(
        f"the job may cost {money(cost)} {unit} and {team} has {money(spending.left)} of its "
        f"{money(spending.budget)} {unit} for {spending.month} left ({money(spending.spent)} spent, "
        f"{money(spending.reserved)} reserved for active jobs)",
        field="team",
        hint="ask for fewer workers or a shorter max_duration, cancel what is not needed, or have "
        f"`budget` in teams/{team}/team.yaml raised",
    )


def money(amount: float) -> str:
    """`1,234.50`."""
    return f"{amount:,.2f}"
