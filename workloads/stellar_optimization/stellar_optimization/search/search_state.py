"""One worker's search as plain data: where it stands and what it does next."""

import math
from dataclasses import dataclass, field
from typing import Any

from stellar_optimization.problems.catalog import problem_of
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.problems.problem import ON_TARGET, Problem
from stellar_optimization.run.parameters import Parameters

FEASIBLE = 0.008  # screening violation up to which a design is worth an official score
LARGEST_BOX = 0.15  # largest change of a scaled variable in one call of SLSQP
EXCHANGE = 6  # slices after which a search looks at what the others had found so far
LAGGING = 1.25  # a search this much farther from the ideal than another goes on from there
SMOOTHER = 3.0  # factor of the smoothness weight after a boundary that cannot have more modes
PATIENCE = 1.5  # times its solves that a search without feasible design may have
SMOOTHINGS = 2  # how often that is tried
ELASTIC_SHARE = 0.25  # of a stage's solves, for problems whose searches settle within few
# The aim's quantity over its limit, of another search's design from which one still finds the way.
REACH = 1.3


@dataclass
class SearchState:
    """Best boundary (leaderboard format) and how the search got there.

    A stage is the search with one number of modes and one weight from one boundary: the usual weight,
    or a larger one to make a boundary smooth enough for the next mode. `x`, `origin`
    and `journal` are None or empty until its first slice; then they hold what search.Progress does.
    """

    boundary: dict[str, Any]
    modes: int
    weight: float
    usual_weight: float
    problem: str = GEOMETRICAL.name
    index: int = 0  # among the searches; some problems give each its own task
    box: float = LARGEST_BOX
    merit: float | None = None
    objective: float | None = None
    shape: list[float] = field(
        default_factory=list
    )  # quantities of the problem's bounds, then guards
    solves: int = 0
    failed_solves: int = 0
    jacobians: int = 0
    settled: bool = False
    x: list[float] | None = None
    origin: list[float] | None = None
    journal: list[dict[str, Any]] = field(default_factory=list)
    stage: int = 0
    stage_began: int = 0  # solves before it
    smoothings: int = 0
    finished: bool = False
    slices: int = 0
    exchanged: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)  # one per EXCHANGE slices
    sharpest: dict[str, Any] | None = None  # the same of the stage, whatever its roughness
    sharpest_point: list[list[float]] = field(default_factory=list)
    runner_up: dict[str, Any] | None = None  # modes, objective, boundary of the best one before
    milestones: list[dict[str, Any]] = field(default_factory=list)  # the same, at ends of stages
    came_from: int | None = None  # the search from whose design this one went on
    joined: list[list[int]] = field(default_factory=list)  # search and modes of each such design
    held_row: dict[str, Any] | None = None  # its last solve, whose Jacobian may yet come

    def update(self, progress: dict[str, Any]) -> None:
        """Take over what a slice brought; a feasible design that was left is the runner-up."""
        before, was_feasible = self.design(), self.feasible
        vars(self).update(progress)
        self.slices += 1
        if self.slices % EXCHANGE == 0:
            self.records.append({"merit": self.merit, "weight": self.usual_weight, **self.design()})
        if not was_feasible or self.objective is None:
            return
        better = before["objective"] - self.objective > self.task.similar
        if better or not self.feasible or self._moved_within_a_set(before):
            self.runner_up = before

    def _moved_within_a_set(self, before: dict[str, Any]) -> bool:
        task, objective = self.task, self.objective
        if not task.of_a_set or objective is None:
            return False
        return not task.alike((before["objective"], objective), (before["shape"], self.shape))

    def design(self) -> dict[str, Any]:
        names = ("modes", "objective", "boundary", "shape")
        return {name: getattr(self, name) for name in names}

    def finished_designs(self) -> list[dict[str, Any]]:
        """Feasible designs of this stage, best first: its best one and its sharpest one."""
        designs = [self.sharpest, self.design()]
        return [
            d for d in designs if d and d["shape"] and self.task.violation(d["shape"]) <= FEASIBLE
        ]

    def turn(self, parameters: Parameters) -> None:
        """When the stage is over: finish, or begin the next one."""
        if self.spent(parameters):
            self.finished = True
        elif self.settled and self.merit is None:
            self._smooth()
        elif self.settled or self._long_enough(parameters):
            self.milestones += self.finished_designs()
            if self.modes < parameters.modes:
                self.weight = self.usual_weight
                self._begin(self.modes + 1, self.boundary)
            else:
                self.finished = True

    def join(self, record: dict[str, Any], other: int) -> None:
        """Go on from a design of the search `other`, with a weight between both; what was found is kept."""
        self.milestones += self.finished_designs()
        self.merit, self.objective, self.shape = None, None, []
        self.came_from = other
        self.joined.append([other, record["modes"]])
        self.usual_weight = math.sqrt(self.usual_weight * record["weight"])
        self.weight = self.usual_weight
        self._begin(max(self.modes, record["modes"]), record["boundary"])

    def lags(self, record: dict[str, Any], other: int) -> bool:
        """Whether this search is so far behind another's record that it had better go on there.

        With an aim of its own not a second time to a design of the same search with the same modes, nor to
        one far above its aim; and once it has something feasible, to none farther above it than that.
        """
        if record["merit"] is None:
            return False
        if self.task.aim is not None and [other, record["modes"]] in self.joined:
            return False
        own = max(ON_TARGET, self.task.aimed_at(self.shape)) if self.feasible else REACH
        if self.task.aimed_at(record["shape"]) > min(own, REACH):
            return False
        ideal = self.task.ideal
        return self.merit is None or self.merit - ideal > LAGGING * (record["merit"] - ideal)

    def _smooth(self) -> None:
        """No equilibrium with the modes of this stage: go back to fewer and ask for smoothness."""
        if self.stage == 0 or self.smoothings == SMOOTHINGS:
            self.finished = True
            return
        self.smoothings += 1
        self.weight = self.usual_weight * SMOOTHER**self.smoothings
        self._begin(self.modes - 1, self.boundary)

    def _begin(self, modes: int, boundary: dict[str, Any]) -> None:
        self.modes, self.boundary, self.settled = modes, boundary, False
        self.box = self.task.largest_box
        self.x, self.origin, self.journal = None, None, []
        self.sharpest, self.sharpest_point = None, []
        self.stage, self.stage_began = self.stage + 1, self.solves

    def spent(self, parameters: Parameters) -> bool:
        """Whether it has used up its solves, a few more without a feasible design.

        Counts decide, not time.
        """
        done = self.solves - self.failed_solves
        allowed = parameters.max_solves * (1.0 if self.feasible else PATIENCE)
        return 0 < allowed <= done

    def _long_enough(self, parameters: Parameters) -> bool:
        """Whether the stage has had its share of solves, and brought a design to go on from.

        With fewer modes solves are cheaper, and the share is larger in proportion.
        """
        share = parameters.stage_solves * parameters.modes / self.modes
        if self.task.elastic:
            share *= ELASTIC_SHARE
        had_its_share = 0 < share <= self.solves - self.stage_began
        if not self.task.elastic:
            return had_its_share and self.feasible
        if self.modes == parameters.modes:
            return had_its_share and self.feasible and parameters.max_solves == 0
        # With few modes there may be no feasible design, and a first one is a beginning.
        return had_its_share or (share > 0 and self._has_use_for_more_modes())

    def _has_use_for_more_modes(self) -> bool:
        """Whether the stage has a feasible design of its own to go on from.

        Not where smoothness was asked for because more modes had no equilibrium.
        """
        begun = self.solves > self.stage_began
        return begun and self.feasible and self.weight == self.usual_weight

    @property
    def task(self) -> Problem:
        return problem_of(self.problem, self.index)

    @property
    def violation(self) -> float | None:
        """Largest normalised violation of the best boundary, by the screening model."""
        return self.task.violation(self.shape) if self.shape else None

    @property
    def feasible(self) -> bool:
        return self.violation is not None and self.violation <= FEASIBLE
