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
        self._under_way: list[Plan] = []  # submissions whose commit is not settled

    def applies_to(self, team: Team) -> bool:
        """Whether the team has a budget, and anything a price."""
        pools = self._pools().pools if team.budget is not None else ()
        return any(p.price_per_worker_hour for p in pools if p.local == self._local)

    def of_team(self, team: Team) -> Spending | None:
        """This month; None for a team without a budget, or where all machines are free."""
        if team.budget is None or not self.applies_to(team):
            return None
        pools, month = self._pools(), month_of(self.now())
        under_way: dict[str, float] = {}  # of retries with one key but one is committed
        with self._lock:
            for plan in self._under_way:
                if plan.spec.team == team.name:
                    under_way[plan.key_hash] = max(plan.cost, under_way.get(plan.key_hash, 0.0))
        found = self._journal.expenses(team.name, month, pools.currency, under_way)
        active = (_price(pools, pool) * hours for pool, hours in found.worker_hours.items())
        coming = (cost for key, cost in under_way.items() if key not in found.known_keys)
        reserved = sum(active) + sum(coming)
        return Spending(month, team.budget, found.spent, reserved, pools.currency)

    def check(self, plan: Plan, team: Team) -> Spending | None:
        """The team's month before the job; raises NotAllowedError where too little of it is left."""
        with self._lock:
            known = any(
                (p.key_hash, p.request_hash) == (plan.key_hash, plan.request_hash)
                for p in self._under_way
            )
        # In this order: what is no longer under way is in the journal, and takes nothing more. The caller
        # repeats what was asked before.
        known = known or self._journal.by_key(plan.key_hash) is not None
        spending = self.of_team(team)
        if spending is not None and not known:
            check_budget(plan.cost, team.name, spending)
        return spending

    def reserve(self, plan: Plan, team: Team) -> None:
        """Checked once more, and counted until `release`: a hundred jobs that are asked for at once
        are not each measured by what is left without the others. Raises NotAllowedError."""
        with self._one_by_one:
            self.check(plan, team)
            with self._lock:
                self._under_way.append(plan)

    def release(self, plan: Plan) -> None:
        """Its commit is in the journal, or will never be."""
        with self._lock:
            self._under_way = [p for p in self._under_way if p is not plan]


def _price(pools: Pools, name: str) -> float:
    """Of a worker's hour; a pool that is gone has no price any more."""
    try:
        return pools.get(name).price_per_worker_hour
    except InputError:
        return 0.0
