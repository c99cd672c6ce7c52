"""What a campaign knows: everything a checkpoint holds, and the decisions made from it alone."""

from dataclasses import asdict, dataclass, field
from typing import Any

from stellar_optimization import problem
from stellar_optimization.design import Design
from stellar_optimization.parameters import Parameters

FEASIBLE = 0.008  # screening violation up to which a design is worth an official score
LARGEST_BOX = 0.15  # largest change of a scaled variable in one call of SLSQP
WORTHWHILE = 0.001  # an official score must be expected to rise by this much
ENOUGH_SOLVES = 30  # per search, before which no design is worth the evaluator's minutes
SIMILAR = 0.01  # designs of a search closer in elongation than this share the solver's verdict
LOW_IOTA_GATE = 0.05  # low-fidelity violation of the transform up to which high is tried
FIRST_MODES = 3  # searches start with at most this many modes and add one when they settle
# Each worker has its own smoothness: too little gives shapes the official solver rejects.
WEIGHT_FACTORS = (1.0, 3.0, 0.3, 10.0)


@dataclass
class SearchState:
    """One worker's search: its best boundary (leaderboard format) and how it got there."""

    boundary: dict[str, Any]
    modes: int
    weight: float
    box: float = LARGEST_BOX
    merit: float | None = None
    elongation: float | None = None
    shape: list[float] = field(default_factory=list)  # aspect ratio, triangularity, iota/period
    solves: int = 0
    failed_solves: int = 0
    jacobians: int = 0
    settled: bool = False

    @property
    def violation(self) -> float | None:
        """Largest normalised violation of the best boundary, by the screening model."""
        return problem.violation(*self.shape) if self.shape else None

    @property
    def feasible(self) -> bool:
        return self.violation is not None and self.violation <= FEASIBLE


@dataclass
class Candidate:
    """A feasible design on its way to an official score."""

    search: int
    modes: int
    elongation: float
    boundary: dict[str, Any]
    low: dict[str, Any] | None = None
    high: dict[str, Any] | None = None

    @property
    def expected_score(self) -> float:
        """Score by the screening model, which the official one agrees with within about 0.0005."""
        return problem.score(self.elongation)

    @property
    def failed(self) -> bool:
        """Whether it has no official score, or low fidelity shows that it will have none.

        Aspect ratio and triangularity are the same in both fidelities, the transform is not.
        """
        if self.high is not None:
            return not self.high["feasible"]
        if self.low is None:
            return False
        if self.low["error"] is not None:
            return True
        aspect, triangularity, iota = self.low["violations"]
        return max(aspect, triangularity) > problem.TOLERANCE or iota > LOW_IOTA_GATE

    @property
    def official_score(self) -> float | None:
        return self.high["score"] if self.high and self.high["feasible"] else None


@dataclass
class State:
    """State of the whole campaign, plain data."""

    start: str
    start_low_score: float | None
    searches: list[SearchState]
    candidates: list[Candidate] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    start_elongation: float | None = None  # of a feasible start, by the screening model
    step: int = 0
    seconds: float = 0.0  # of search, without compilation

    @classmethod
    def initial(cls, design: Design, parameters: Parameters, workers: int) -> "State":
        """All searches at the stored design, each with its own smoothness weight."""
        searches = [
            SearchState(
                design.boundary.to_json(),
                min(FIRST_MODES, parameters.modes),
                parameters.spectral_weight * WEIGHT_FACTORS[i % len(WEIGHT_FACTORS)],
            )
            for i in range(workers)
        ]
        return cls(design.name, design.score("low"), searches)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "State":
        searches = [SearchState(**search) for search in data["searches"]]
        candidates = [Candidate(**candidate) for candidate in data["candidates"]]
        return cls(**{**data, "searches": searches, "candidates": candidates})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def best_search(self) -> SearchState | None:
        """The search with the best design so far, by the screening model."""
        begun = [search for search in self.searches if search.merit is not None]
        return min(begun, key=lambda search: search.merit or 0.0, default=None)

    def best_candidate(self) -> Candidate | None:
        """The candidate with the best official high-fidelity score."""
        scored = [c for c in self.candidates if c.official_score is not None]
        return max(scored, key=lambda c: c.official_score or 0.0, default=None)

    def official_score(self) -> float | None:
        best = self.best_candidate()
        return best.official_score if best else None

    def official_low_score(self) -> float | None:
        """Best official low-fidelity score, the start's included."""
        scores = [c.low["score"] for c in self.candidates if c.low and c.low["feasible"]]
        scores += [] if self.start_low_score is None else [self.start_low_score]
        return max(scores, default=None)

    def explored(self) -> bool:
        """Whether the searches have done enough for their best design to be worth a score."""
        solves = sum(search.solves for search in self.searches)
        settled = all(search.settled for search in self.searches)
        return settled or solves >= ENOUGH_SOLVES * len(self.searches)

    def scored(self, parameters: Parameters) -> bool:
        """Whether there is an official score, and it is too late to ask for a better one."""
        late = self.seconds >= parameters.max_seconds + parameters.extra_scoring_seconds
        return late and self.official_score() is not None

    def worth_scoring(self, spare: bool = False) -> tuple[int, SearchState] | None:
        """The best feasible design that promises more than those scored or under way.

        With `spare`, for a worker that has nothing else to do, also a second choice, in case those
        under way fail.
        """
        rivals = [c for c in self.candidates if not c.failed and (c.high is not None or not spare)]
        beaten = max((c.expected_score for c in rivals), default=0.0)
        if self.start_elongation is not None:
            beaten = max(beaten, problem.score(self.start_elongation))
        options = [
            (search.elongation, index, search)
            for index, search in enumerate(self.searches)
            if search.feasible and search.elongation is not None and not self._tried(index, search)
        ]
        if not options:
            return None
        elongation, index, search = min(options, key=lambda option: option[:2])
        return (index, search) if problem.score(elongation) > beaten + WORTHWHILE else None

    def _tried(self, index: int, search: SearchState) -> bool:
        """Whether a design like this one, of the same search, went to the evaluator already."""
        return any(
            candidate.search == index
            and candidate.modes == search.modes
            and abs(candidate.elongation - (search.elongation or 0.0)) < SIMILAR
            for candidate in self.candidates
        )

    def row(self) -> dict[str, Any]:
        """The metrics of now; what is not known is left out."""
        best = self.best_search()
        values: dict[str, Any] = {
            "official_score": self.official_score(),
            "official_low_score": self.official_low_score(),
            "search_seconds": round(self.seconds, 1),
            "solves": sum(search.solves for search in self.searches),
            "failed_solves": sum(search.failed_solves for search in self.searches),
            "jacobians": sum(search.jacobians for search in self.searches),
        }
        if best is not None:
            names = ("aspect_ratio", "triangularity", "iota_per_period")
            values |= {"elongation": best.elongation, "violation": best.violation}
            values |= dict(zip(names, best.shape, strict=True))
        return {name: value for name, value in values.items() if value is not None}
