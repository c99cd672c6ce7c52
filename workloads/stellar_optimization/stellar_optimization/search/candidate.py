"""A design on its way to an official score."""

from dataclasses import dataclass, field
from typing import Any

from stellar_optimization.problems import geometrical as problem

WORTHWHILE = 0.001  # an official score must be expected to rise by this much
LOW_IOTA_GATE = 0.05  # low-fidelity violation of the transform up to which high is tried


@dataclass
class Candidate:
    """A feasible design on its way to an official score."""

    search: int
    modes: int
    elongation: float
    boundary: dict[str, Any]
    shape: list[float] = field(default_factory=list)  # aspect ratio, triangularity, iota/period
    low: dict[str, Any] | None = None
    high: dict[str, Any] | None = None

    @property
    def expected_score(self) -> float:
        """Score by the screening model, which the official one agrees with within about 0.0005."""
        return problem.score(self.elongation)

    @property
    def out_of_bounds(self) -> bool:
        """Whether low fidelity shows that it is not feasible.

        Aspect ratio and triangularity are the same in both fidelities, the transform is not. A
        design that low fidelity does not solve may still have a score at high fidelity.
        """
        if self.low is None or self.low["error"] is not None:
            return False
        aspect, triangularity, iota = self.low["violations"]
        return max(aspect, triangularity) > problem.TOLERANCE or iota > LOW_IOTA_GATE

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
