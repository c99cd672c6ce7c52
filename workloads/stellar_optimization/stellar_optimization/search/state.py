"""What a campaign knows: everything a checkpoint holds, and the decisions made from it alone."""

from dataclasses import asdict, dataclass, field
from typing import Any

from stellar_optimization.problems import geometrical as problem
from stellar_optimization.problems.design import Design
from stellar_optimization.run.parameters import Parameters
from stellar_optimization.search.candidate import WORTHWHILE, Candidate
from stellar_optimization.search.search_state import SIMILAR, SearchState
from stellar_optimization.search.start import ELLIPSE

FIRST_MODES = 3  # of a search from a stored design, unless it has more; an ellipse begins with two
CLOSE = 0.005  # expected scores this close are scored at high fidelity in one wave
# Each worker has its own smoothness: too little gives shapes the official solver rejects.
WEIGHT_FACTORS = (1.0, 3.0, 0.3, 10.0)


@dataclass
class State:
    """State of the whole campaign, plain data."""

    start: str
    searches: list[SearchState]
    candidates: list[Candidate] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    wave_under_way: list[int] = field(default_factory=list)  # candidates of the unfinished wave
    start_elongation: float | None = None  # of a feasible start, by the screening model
    step: int = 0
    seconds: float = 0.0  # of work, compilation counted
    cpu_seconds: float = 0.0  # of all workers and their evaluators, what a kill lost not counted
    search_seconds: float | None = None  # when the search was over

    @classmethod
    def initial(cls, design: Design, parameters: Parameters, workers: int) -> "State":
        """All searches at the start, each with its own smoothness weight."""
        own = len(design.boundary.r_cos) - 1
        first = own if design.name == ELLIPSE else max(own, FIRST_MODES)
        modes = min(first, parameters.modes)
        factors = [WEIGHT_FACTORS[i % len(WEIGHT_FACTORS)] for i in range(workers)]
        weights = [parameters.spectral_weight * factor for factor in factors]
        boundary = design.boundary.to_json()
        searches = [SearchState(boundary, modes, weight, weight) for weight in weights]
        return cls(design.name, searches)

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

    def ready(self, index: int, parameters: Parameters) -> bool:
        """Whether the search goes on now, after what is to be decided before its next slice.

        False if it has finished, or waits for the others' records. It is compared with what they
        had found one exchange earlier, whichever worker is faster, so that the decision is the
        same on every machine and nobody waits for the slowest.
        """
        search = self.searches[index]
        due = len(search.records)
        if search.exchanged < due and not search.finished:
            others = [(i, other) for i, other in enumerate(self.searches) if i != index]
            if any(len(other.records) < due - 1 and not other.finished for _, other in others):
                return False
            search.exchanged = due
            rivals = [
                (i, r)
                for i, other in others
                for r in other.records[: due - 1][-1:]
                if search.lags(r)
            ]
            if rivals:
                other, record = min(rivals, key=lambda rival: rival[1]["merit"])
                search.join(record, other)
        if not search.finished:
            search.turn(parameters)
        return not search.finished

    def over(self, parameters: Parameters) -> bool:
        """Whether the search has ended: every search has finished, or the time is up."""
        if self.search_seconds is not None or self.seconds >= parameters.max_seconds:
            return True
        return all(search.finished for search in self.searches)

    def finalists(self, depth: int) -> list[Candidate]:
        """When the search is over: each search's best `depth` designs, most promising first.

        Without those tried already, and those that promise no more than start and official score.
        """
        beaten = self.official_score() or 0.0
        if self.start_elongation is not None:
            beaten = max(beaten, problem.score(self.start_elongation))
        found = []
        for index, search in enumerate(self.searches):
            designs = search.finished_designs()
            designs += [search.runner_up] if search.runner_up else []
            designs += reversed(search.milestones)
            own = _distinct([Candidate(index, **design) for design in designs])[:depth]
            found += [
                c for c in own if c.expected_score > beaten + WORTHWHILE and not self._tried(c)
            ]
        return sorted(found, key=lambda c: (c.elongation, c.search))

    def wave(self, parameters: Parameters) -> list[Candidate]:
        """The designs to be scored at high fidelity next, as many at once as there are workers.

        The best of those that low fidelity accepts, and the most promising of all: low fidelity
        refuses some that high fidelity accepts. Those that promise much less wait for a wave in which
        nothing better is left. Empty when nothing may bring a better score.
        """
        tried = sum(candidate.high is not None for candidate in self.candidates)
        size = min(len(self.searches), parameters.scores - tried)
        best = self.best_candidate()
        waiting = [c for c in self.candidates if c.high is None and c.low is not None]
        waiting = [c for c in waiting if not c.out_of_bounds and (best is None or c.may_beat(best))]
        waiting.sort(key=lambda c: (-c.expected_score, c.search))
        waiting = [c for c in waiting if c.expected_score > waiting[0].expected_score - CLOSE]
        accepted = [c for c in waiting if c.low_score > 0]
        chosen = accepted[:1]
        chosen += [c for c in waiting if not any(c is other for other in chosen)]
        return chosen[: max(size, 0)]

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
        last = max(self.candidates, key=lambda c: c.high is not None)
        result = last.high or last.low or {"error": "not evaluated"}
        return result["error"] or f"a bound is violated by {max(result['violations']):.4f}"

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
            "cpu_seconds": round(self.cpu_seconds, 1),
            "solves": sum(search.solves for search in self.searches),
            "failed_solves": sum(search.failed_solves for search in self.searches),
            "jacobians": sum(search.jacobians for search in self.searches),
        }
        if best is not None:
            names = ("aspect_ratio", "triangularity", "iota_per_period")
            values |= {"elongation": best.elongation, "violation": best.violation}
            values |= dict(zip(names, best.shape, strict=True))
        return {name: value for name, value in values.items() if value is not None}


def _distinct(designs: list[Candidate]) -> list[Candidate]:
    """Without those that hardly differ in elongation from a better one; best first."""
    kept: list[Candidate] = []
    for design in sorted(designs, key=lambda c: c.elongation):
        if all(abs(design.elongation - other.elongation) >= SIMILAR for other in kept):
            kept.append(design)
    return kept
