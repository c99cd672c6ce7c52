"""What teams may still spend, and what is being submitted this moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from ml_platform.budget import Spending, check_budget, month_of
from ml_platform.errors import InputError
from ml_platform.journal import SqliteJournal
from ml_platform.plan import Plan
from ml_platform.pools import Pools
from ml_platform.team import Team


class Budgets:
    """Only the replica that commits admits submissions, so that one memory of them is enough.

    `pools` gives the prices as `main` has them now, and `now` the time. `local`: there is but the
    machine that the platform runs on, which mostly costs nothing; then nobody needs a budget.
    """

    def __init__(
        self,
        journal: SqliteJournal,
        pools: Callable[[], Pools],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        local: bool,
    ) -> None:
        self._local = local
        self._journal = journal
        self._pools = pools
        self.now = now
        self._one_by_one = threading.Lock()  # from the check of one until it is counted
        self._lock = threading.Lock()
        # Submissions whose commit is not settled: hash of the key → plans, more than one of retries.
        self._under_way: dict[str, list[Plan]] = {}

    def of_team(self, team: Team) -> Spending | None:
        """This month; None for a team without a budget, or where all machines are free."""
        if team.budget is None:
            return None
        pools, month = self._pools(), month_of(self.now())
        if not any(p.price_per_worker_hour for p in pools.pools if p.local == self._local):
            return None
        with self._lock:
            under_way = {
                key: plans[0].cost
                for key, plans in self._under_way.items()
                if plans[0].spec.team == team.name
            }
        found = self._journal.expenses(team.name, month, pools.currency, under_way)
        active = (_price(pools, pool) * hours for pool, hours in found.worker_hours.items())
        coming = (cost for key, cost in under_way.items() if key not in found.known_keys)
        reserved = sum(active) + sum(coming)
        return Spending(month, team.budget, found.spent, reserved, pools.currency)

    def check(self, plan: Plan, team: Team) -> Spending | None:
        """The team's month before the job; raises NotAllowedError where too little of it is left."""
        spending = self.of_team(team)
        # What is there already takes nothing more: the caller repeats what was asked before.
        known = self._journal.by_key(plan.key_hash) or plan.key_hash in self._under_way
        if spending is not None and not known:
            check_budget(plan.cost, team.name, spending)
        return spending

    def reserve(self, plan: Plan, team: Team) -> None:
        """Checked once more, and counted until `release`: a hundred jobs that are asked for at once
        are not each measured by what is left without the others. Raises NotAllowedError."""
        if team.budget is not None:
            with self._one_by_one:
                self.check(plan, team)
                with self._lock:
                    self._under_way.setdefault(plan.key_hash, []).append(plan)

    def release(self, plan: Plan) -> None:
        """Its commit is in the journal, or will never be."""
        with self._lock:
            plans = self._under_way.get(plan.key_hash, [])
            if plan in plans:
                plans.remove(plan)
            if not plans:
                self._under_way.pop(plan.key_hash, None)


def _price(pools: Pools, name: str) -> float:
    """Of a worker's hour; a pool that is gone has no price any more."""
    try:
        return pools.get(name).price_per_worker_hour
    except InputError:
        return 0.0
