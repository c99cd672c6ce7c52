"""A search with a given number of forward solves, from starts of one kind: what the loop compares."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from stellar_optimization.search.search_state import SearchState


@dataclass
class Episode:
    """Plain data. arm: kind of its starts; origin: whose designs those come from, as in a Row.

    It goes on to its next start when a search has settled before the solves are used up, as one does whose
    start has no equilibrium. merits: of each solve, None without an equilibrium.
    """

    round: int
    arm: str
    number: int
    starts: list[dict[str, Any]]
    origin: str
    search: dict[str, Any] | None = None
    begun: int = 0  # starts
    slices: int = 0
    merits: list[float | None] = field(default_factory=list)
    violations: list[float | None] = field(default_factory=list)
    held_row: dict[str, Any] | None = None
    done: bool = False

    @property
    def name(self) -> str:
        return f"{self.round}-{self.arm}-{self.number:03d}"

    def begin(self, modes: int, weight: float) -> bool:
        """Whether there is a search to go on with; a new one when the last has settled."""
        if self.search is not None and not self.search["settled"]:
            return False
        counts = self.search or {"solves": 0, "failed_solves": 0, "jacobians": 0}
        state = SearchState(self.starts[self.begun % len(self.starts)], modes, weight, weight)
        for name in ("solves", "failed_solves", "jacobians"):
            setattr(state, name, counts[name])
        state.stage = self.begun
        self.search = asdict(state)
        self.begun += 1
        return True

    def update(
        self, result: dict[str, Any], merits: list[float | None], violations: list[float | None]
    ) -> None:
        """Take over what a slice brought, after its rows were written."""
        assert self.search is not None
        known = {name: value for name, value in result.items() if name in self.search}
        self.search = {**self.search, **known}
        self.slices += 1
        self.merits += merits
        self.violations += violations

    def best(self, solves: int) -> list[float]:
        """Best merit after each of the first `solves` solves; infinite before an equilibrium."""
        least, found = math.inf, []
        for merit in self.merits[:solves]:
            least = least if merit is None else min(least, merit)
            found.append(least)
        return found + [least] * (solves - len(found))
