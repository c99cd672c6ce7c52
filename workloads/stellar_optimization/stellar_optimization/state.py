"""What a campaign knows: everything a checkpoint holds, and the decisions made from it alone."""

from dataclasses import asdict, dataclass, field
from typing import Any

from stellar_optimization import problem
from stellar_optimization.candidate import WORTHWHILE, Candidate
from stellar_optimization.design import Design
from stellar_optimization.parameters import Parameters

FEASIBLE = 0.008  # screening violation up to which a design is worth an official score
LARGEST_BOX = 0.15  # largest change of a scaled variable in one call of SLSQP
ENOUGH_SOLVES = (
    25  # successful ones per search, before which no design is worth the evaluator's minutes
)
RELEARNING = (
    15  # solves that a restarted search gets more, having lost what it knew of the curvature
)
SIMILAR = 0.01  # designs of a search closer in elongation than this share the solver's verdict
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
    granted: int = 0  # solves beyond the job's max_solves
    runner_up: dict[str, Any] | None = None  # modes, elongation, boundary of the best one before

    def update(self, progress: dict[str, Any]) -> None:
        """Take over what the worker reports; a feasible design that was left is the runner-up."""
        before = {name: getattr(self, name) for name in ("modes", "elongation", "boundary")}
        was_feasible = self.feasible
        vars(self).update(progress)
        if not was_feasible or self.elongation is None:
            return
        if before["elongation"] - self.elongation > SIMILAR or not self.feasible:
            self.runner_up = before

    def finished(self, parameters: Parameters) -> bool:
        """Whether it has used up its solves at a feasible design, or settled with the last mode.

        Counts decide, not time.
        """
        left = parameters.max_solves + self.granted - (self.solves - self.failed_solves)
        spent = parameters.max_solves > 0 and left <= 0 and self.feasible
        return spent or (self.settled and self.modes >= parameters.modes)

    @property
    def violation(self) -> float | None:
        """Largest normalised violation of the best boundary, by the screening model."""
        return problem.violation(*self.shape) if self.shape else None

    @property
    def feasible(self) -> bool:
        return self.violation is not None and self.violation <= FEASIBLE


@dataclass
class State:
    """State of the whole campaign, plain data."""

    start: str
    searches: list[SearchState]
    candidates: list[Candidate] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    start_elongation: float | None = None  # of a feasible start, by the screening model
    step: int = 0
    seconds: float = 0.0  # since the search began, compilation not counted
    search_seconds: float | None = None  # when the search was over

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
        return cls(design.name, searches)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "State":
        searches = [SearchState(**search) for search in data["searches"]]
        candidates = [Candidate(**candidate) for candidate in data["candidates"]]
        return cls(**{**data, "searches": searches, "candidates": candidates})

    def restart(self, parameters: Parameters) -> None:
        """Prepare a saved state for the next attempt."""
        for search in self.searches:
            if not search.finished(parameters):
                search.granted += RELEARNING

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

    def reported(self) -> Candidate | None:
        """The design that all official figures are of: best at high fidelity, else at low."""
        at_low = [c for c in self.candidates if c.low and c.low["feasible"]]
        return self.best_candidate() or max(at_low, key=lambda c: c.low_score, default=None)

    def official_score(self) -> float | None:
        best = self.best_candidate()
        return best.official_score if best else None

    def official_low_score(self) -> float | None:
        """Low-fidelity score of the reported design."""
        best = self.reported()
        return best.low["score"] if best and best.low and best.low["feasible"] else None

    def explored(self) -> bool:
        """Whether the searches have done enough for their best design to be worth a score."""
        solves = sum(search.solves - search.failed_solves for search in self.searches)
        settled = all(search.settled for search in self.searches)
        return settled or solves >= ENOUGH_SOLVES * len(self.searches)

    def over(self, parameters: Parameters) -> bool:
        """Whether the search has ended: its time is up, or every search is finished."""
        if self.search_seconds is not None or self.seconds >= parameters.max_seconds:
            return True
        return all(search.finished(parameters) for search in self.searches)

    def scored(self, parameters: Parameters) -> bool:
        """Whether there is an official score, and it is too late to ask for a better one."""
        if self.official_score() is None or self.search_seconds is None:
            return False
        return self.seconds >= self.search_seconds + parameters.extra_scoring_seconds

    def worth_scoring(self) -> Candidate | None:
        """While the search goes on: its best design, if it promises more than all before it."""
        beaten = max((c.expected_score for c in self.candidates if not c.failed), default=0.0)
        return next(iter(self._promising(beaten, runners_up=False)), None)

    def finalists(self) -> list[Candidate]:
        """When the search is over: each search's best two, those that promise most first."""
        return self._promising(self.official_score() or 0.0, runners_up=True)

    def next_to_score(self, under_way: list[Candidate]) -> tuple[Candidate, str] | None:
        """The next design for the evaluator and the fidelity.

        Low fidelity takes seconds and goes to all; the minutes of high fidelity go to the best of
        them, and so wait for those under way. Then to one that may be better than what there is.
        """
        waiting = [c for c in self.candidates if not c.failed and c.high is None]
        waiting = [c for c in waiting if not any(c is other for other in under_way)]
        if fresh := [c for c in waiting if c.low is None]:
            return fresh[0], "low"
        best = self.best_candidate()
        rivals = [c for c in waiting if best is None or c.may_beat(best)]
        if under_way or not rivals:
            return None
        return max(rivals, key=lambda c: (c.low_score, c.expected_score)), "high"

    def why_unscored(self) -> str | None:
        """In words, why there is no official score; None if there is one."""
        if self.official_score() is not None:
            return None
        tried, best = len(self.candidates), self.best_search()
        if tried:
            return f"the evaluator accepted none of {tried} designs; the last: {self._refusal()}"
        if best is None:
            return "no search found an equilibrium"
        if not best.feasible:
            return f"the best design found violates a bound by {best.violation:.4f}"
        return "no design found is better than the start"

    def _refusal(self) -> str:
        last = self.candidates[-1]
        result = last.high or last.low or {"error": "not evaluated"}
        return result["error"] or f"a bound is violated by {max(result['violations']):.4f}"

    def _promising(self, beaten: float, *, runners_up: bool) -> list[Candidate]:
        """Designs not tried yet that promise more than `beaten` and the start, best first."""
        if self.start_elongation is not None:
            beaten = max(beaten, problem.score(self.start_elongation))
        found = []
        for index, search in enumerate(self.searches):
            if search.feasible and search.elongation is not None:
                found.append(Candidate(index, search.modes, search.elongation, search.boundary))
            if runners_up and search.runner_up is not None:
                found.append(Candidate(index, **search.runner_up))
        found = [c for c in found if c.expected_score > beaten + WORTHWHILE and not self._tried(c)]
        return sorted(found, key=lambda c: (c.elongation, c.search))

    def _tried(self, design: Candidate) -> bool:
        """Whether a design like this one, of the same search, went to the evaluator already."""
        return any(
            candidate.search == design.search
            and candidate.modes == design.modes
            and abs(candidate.elongation - design.elongation) < SIMILAR
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
