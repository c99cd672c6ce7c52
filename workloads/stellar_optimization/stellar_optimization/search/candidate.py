"""A design on its way to an official score."""

from dataclasses import dataclass, field
from typing import Any

from stellar_optimization.problems.catalog import problem_of
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.problems.problem import ON_TARGET

WORTHWHILE = 0.001  # an official score must be expected to rise by this much
# Part of a gradient length by which the evaluator's may be shorter than the search's.
TAKEN_OFF = 0.05


@dataclass
class Candidate:
    """A feasible design on its way to an official score."""

    search: int
    modes: int
    objective: float
    boundary: dict[str, Any]
    shape: list[float] = field(default_factory=list)  # as a SearchState's
    problem: str = GEOMETRICAL.name
    low: dict[str, Any] | None = None
    high: dict[str, Any] | None = None

    @property
    def expected_score(self) -> float:
        """Score by the screening model, which the official one agrees with within about 0.0005."""
        return problem_of(self.problem).score(self.objective)

    @property
    def length_and_aspect(self) -> tuple[float, float]:
        """Gradient length and aspect ratio that a design of P3 promises.

        The larger length of search and low fidelity: low fidelity's is sometimes far too low. Once high
        fidelity has been found, not much more than that.
        """
        task = problem_of(self.problem, self.search)
        length, aspect = task.shown(self.objective), task.value("aspect_ratio", self.shape)
        if self.low is not None and self.low["error"] is None:
            length = max(length, self.low["objective"])
            aspect = self.low["metrics"]["aspect_ratio"]
        if self.high is not None and self.official_score is not None:
            length = min(length, self.high["objective"] * (1 + TAKEN_OFF))
        return length, aspect

    def resembles(self, other: "Candidate") -> bool:
        """Whether both designs, of one search, count as the same."""
        problem = problem_of(self.problem, self.search)
        return problem.alike((self.objective, other.objective), (self.shape, other.shape))

    @property
    def off_target(self) -> bool:
        """Whether it misses what its search aims at."""
        return problem_of(self.problem, self.search).aimed_at(self.shape) > ON_TARGET

    def outdone_by(self, other: "Candidate") -> bool:
        """Whether another design of its search is as gentle and as compact; only of a set do both count."""
        problem = problem_of(self.problem, self.search)
        if not problem.of_a_set or other.objective > self.objective:
            return False
        one, rival = (problem.value("aspect_ratio", c.shape) for c in (self, other))
        return rival <= one

    @property
    def out_of_bounds(self) -> bool:
        """Whether low fidelity shows that it is not feasible.

        Some quantities are the same in both fidelities, others are not. A design that low fidelity does
        not solve may still have a score at high fidelity.
        """
        if self.low is None or self.low["error"] is not None:
            return False
        bounds = problem_of(self.problem).bounds
        return any(
            violation > bound.low_gate
            for bound, violation in zip(bounds, self.low["violations"], strict=True)
        )

    @property
    def unlikely(self) -> bool:
        """Whether low fidelity shows what designs have that high fidelity does not solve."""
        limit = problem_of(self.problem).axis_limit
        if limit is None or self.low is None or self.low["error"] is not None:
            return False
        axis: float = self.low["metrics"]["axis_rotational_transform_over_n_field_periods"]
        return axis > limit

    @property
    def low_score(self) -> float:
        """Score at low fidelity; 0 without one."""
        return self.low["score"] or 0.0 if self.low else 0.0

    def may_beat(self, best: "Candidate") -> bool:
        """Whether it could get a higher official score than `best` has."""
        return self.expected_score > (best.official_score or 0.0) + WORTHWHILE

    @property
    def official_score(self) -> float | None:
        return self.high["score"] if self.high and self.high["feasible"] else None
