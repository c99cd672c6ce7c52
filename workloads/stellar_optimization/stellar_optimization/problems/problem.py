"""What a problem of the benchmark states about itself; `catalog` lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TOLERANCE = 0.01  # largest normalised violation that still counts as feasible
SIMILAR_ASPECT = 0.1
ON_TARGET = 1.01  # the aim's quantity over its limit
DRIFT = 0.05  # a low gate of quantities about which the evaluator's fidelities differ


@dataclass(frozen=True)
class Bound:
    """One constraint on a quantity of the screening model (see physics and search.screening).

    limit: of the quantity; scale: what the evaluator divides a violation by; low_gate: violation at low
    fidelity up to which a design is tried at high: more where both differ about the quantity.
    """

    quantity: str
    title: str
    sense: Literal["at most", "at least"]
    limit: float
    scale: float
    low_gate: float = TOLERANCE

    @property
    def sign(self) -> float:
        return 1.0 if self.sense == "at most" else -1.0

    def violation(self, value: float) -> float:
        """Normalised, negative inside the bound."""
        return self.sign * (value - self.limit) / self.scale


@dataclass(frozen=True)
class Problem:
    """An objective, which the search makes small, and constraints.

    terms: quantity whose largest value is the objective; objective: its name as a metric; flip: whether
    the metric is the negative of it; ideal, worthless: objectives of scores 1 and 0; bounds: as the
    official evaluator orders them; guards: limits of the search alone; aim: the one of them that sets this
    search apart from the others of the problem; similar: difference of objectives below which designs of one
    search count as the same (of a set only if their aspect ratios are as near as SIMILAR_ASPECT, too); slack:
    range of the objective; start: the usual one; of_a_set: whether feasible designs are scored together;
    elastic: whether its starts are far from feasible, so that the search must weigh violations against each
    other; extra_modes: of the search's equilibria, beyond those of the boundary; largest_box: change of a
    scaled variable in one call of SLSQP; price: what a violation of 1 weighs in the objective's unit;
    axis_limit: of the transform on axis per field period at low fidelity, above which the evaluator has
    not been seen to converge at high.
    """

    name: str
    title: str
    evaluator: str
    terms: str
    objective: str
    objective_title: str
    flip: bool
    ideal: float
    worthless: float
    published: float
    bounds: tuple[Bound, ...]
    guards: tuple[Bound, ...]
    similar: float
    slack: tuple[float, float]
    start: str
    aim: Bound | None = None
    of_a_set: bool = False
    elastic: bool = False
    extra_modes: int = 2
    largest_box: float = 0.15
    price: float = 10.0
    axis_limit: float | None = None

    @property
    def quantities(self) -> list[str]:
        """Names of the constrained quantities: those of the bounds, then those only a guard has."""
        names = [bound.quantity for bound in self.bounds]
        return names + sorted({guard.quantity for guard in self.guards} - set(names))

    def violations(self, values: Sequence[float]) -> list[float]:
        """Of values that begin with the bounds' quantities, in their order; negative inside."""
        return [b.violation(v) for b, v in zip(self.bounds, values, strict=False)]

    def violation(self, values: Sequence[float]) -> float:
        """The largest one; feasible up to TOLERANCE."""
        return max(self.violations(values))

    def value(self, quantity: str, values: Sequence[float]) -> float:
        """One of values in the order of `quantities`; ValueError for a quantity that is none of them."""
        return values[self.quantities.index(quantity)]

    def aimed_at(self, values: Sequence[float]) -> float:
        """The aim's quantity over its limit, of values in the order of `quantities`; 0 without an aim."""
        if self.aim is None:
            return 0.0
        return self.value(self.aim.quantity, values) / self.aim.limit

    def alike(
        self, objectives: tuple[float, float], values: tuple[Sequence[float], Sequence[float]]
    ) -> bool:
        """Whether two designs hardly differ in what counts, so that one of them is enough."""
        if abs(objectives[0] - objectives[1]) >= self.similar:
            return False
        if not self.of_a_set:
            return True
        one, other = (self.value("aspect_ratio", found) for found in values)
        return abs(one - other) < SIMILAR_ASPECT

    def score(self, objective: float) -> float:
        """The benchmark's score of a feasible design, from 0 to 1."""
        return 1.0 - min(max((objective - self.ideal) / (self.worthless - self.ideal), 0.0), 1.0)

    def shown(self, objective: float) -> float:
        """The objective as people know it."""
        return -objective if self.flip else objective

    def worst(self, violations: Sequence[float]) -> str:
        """Title of the bound that is violated most."""
        most = max(range(len(violations)), key=lambda i: violations[i])
        return self.bounds[most].title.lower()
