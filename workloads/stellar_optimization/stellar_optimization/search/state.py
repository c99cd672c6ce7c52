"""What a campaign knows: everything a checkpoint holds, and the decisions made from it alone."""

from dataclasses import asdict, dataclass, field
from typing import Any

from stellar_optimization.problems.catalog import problem_of, searches_of
from stellar_optimization.problems.design import Design
from stellar_optimization.problems.problem import Problem
from stellar_optimization.problems.quasi_isodynamic import hypervolume
from stellar_optimization.run.parameters import Parameters
from stellar_optimization.search.candidate import WORTHWHILE, Candidate
from stellar_optimization.search.search_state import SearchState
from stellar_optimization.search.start import GENERATED

FIRST_MODES = 3  # of a search from a stored design, unless it has more; an ellipse begins with two
WORTHWHILE_VOLUME = 1.0  # of P3's set: what a design must promise to add to it
CLOSE = 0.005  # expected scores this close are scored at high fidelity in one wave
# Searches differ in smoothness: too little gives shapes the official solver rejects.
WEIGHT_FACTORS = (1.0, 3.0, 0.3, 10.0)


@dataclass
class State:
    """State of the whole campaign, plain data."""

    start: str
    searches: list[SearchState]
    candidates: list[Candidate] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    wave_under_way: list[int] = field(default_factory=list)  # candidates of the unfinished wave
    start_objective: float | None = None  # of a feasible start, by the screening model
    step: int = 0
    seconds: float = 0.0  # of work, compilation counted
    cpu_seconds: float = 0.0  # of all workers and their evaluators, what a kill lost not counted
    # Both when this problem's turn came.
    began: list[float] = field(default_factory=lambda: [0.0, 0.0])
    search_seconds: float | None = None  # when the search was over
    summaries: dict[str, dict[str, Any]] = field(default_factory=dict)  # of problems that are done

    @classmethod
    def initial(cls, design: Design, parameters: Parameters, workers: int) -> "State":
        """All searches at the start, each with its own smoothness weight or task."""
        own = len(design.boundary.r_cos) - 1
        first = own if design.name in GENERATED else max(own, FIRST_MODES)
        modes = min(first, parameters.modes)
        problem = problem_of(parameters.problem)
        variants = searches_of(problem, workers)
        factors = [WEIGHT_FACTORS[variant % len(WEIGHT_FACTORS)] for variant in variants]
        weights = [parameters.spectral_weight * factor for factor in factors]
        boundary = design.boundary.to_json()
        searches = [
            SearchState(
                boundary, modes, weight, weight, parameters.problem, index, problem.largest_box
            )
            for index, weight in enumerate(weights)
        ]
        return cls(design.name, searches)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "State":
        searches = [SearchState(**search) for search in data["searches"]]
        candidates = [Candidate(**candidate) for candidate in data["candidates"]]
        return cls(**{**data, "searches": searches, "candidates": candidates})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def solves(self) -> int:
        """Forward solves so far, failed ones included."""
        return sum(search.solves for search in self.searches)

    @property
    def problem(self) -> Problem:
        return problem_of(self.searches[0].problem)

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
        """Of the best design; of all feasible ones together where the problem is about a set."""
        best = self.best_candidate()
        if best is None or not self.problem.of_a_set:
            return best.official_score if best else None
        return hypervolume(self.front())

    def front(self) -> list[tuple[float, float]]:
        """Gradient length and aspect ratio of each design that is feasible at high fidelity."""
        results = [c.high for c in self.candidates if c.high and c.official_score is not None]
        return [(r["objective"], r["metrics"]["aspect_ratio"]) for r in results]

    def best_designs(self) -> list[tuple[float, float]]:
        """The same of each search's best design by the screening model, feasible or not."""
        found = []
        for search in self.searches:
            if search.objective is not None:
                aspect = search.task.value("aspect_ratio", search.shape)
                found.append((search.task.shown(search.objective), aspect))
        return found

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
        if search.exchanged < due and not search.finished and not search.spent(parameters):
            others = [(i, other) for i, other in enumerate(self.searches) if i != index]
            if any(len(other.records) < due - 1 and not other.finished for _, other in others):
                return False
            search.exchanged = due
            rivals = [
                (i, r)
                for i, other in others
                for r in other.records[: due - 1][-1:]
                if search.lags(r, i)
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
        best = self.best_candidate()
        beaten = (best.official_score or 0.0) if best and not self.problem.of_a_set else 0.0
        if self.start_objective is not None and not self.problem.of_a_set:
            beaten = max(beaten, self.problem.score(self.start_objective))
        found = []
        for index, search in enumerate(self.searches):
            designs = search.finished_designs()
            designs += [search.runner_up] if search.runner_up else []
            designs += reversed(search.milestones)
            own = _best_of_each_kind(
                [Candidate(index, **design, problem=search.problem) for design in designs]
            )[:depth]
            found += [
                c for c in own if c.expected_score > beaten + WORTHWHILE and not self._tried(c)
            ]
        return sorted(found, key=lambda c: (c.objective, c.search))

    def wave(self, parameters: Parameters, *, unlikely: bool = True) -> list[Candidate]:
        """The designs to be scored at high fidelity next, as many at once as there are searches.

        The best of those that low fidelity accepts, and the most promising of all: low fidelity
        refuses some that high fidelity accepts. Those that promise much less wait for a wave in which
        nothing better is left; those that high fidelity is unlikely to solve wait until nothing else is,
        and are left out unless `unlikely`. Empty when nothing may bring a better score. Of a set: those
        that promise to make it larger.
        """
        tried = sum(candidate.high is not None for candidate in self.candidates)
        size = min(len(self.searches), parameters.scores - tried)
        best = self.best_candidate()
        waiting = [c for c in self.candidates if c.high is None and c.low is not None]
        if self.problem.of_a_set:
            return self._that_enlarge_the_set(waiting)[: max(size, 0)]
        waiting = [c for c in waiting if not c.out_of_bounds and (best is None or c.may_beat(best))]
        likely = [c for c in waiting if not c.unlikely]
        waiting = likely or (waiting if unlikely and best is None else [])
        if not waiting:
            return []
        waiting.sort(key=lambda c: (-c.expected_score, c.search))
        waiting = [c for c in waiting if c.expected_score > waiting[0].expected_score - CLOSE]
        accepted = [c for c in waiting if c.low_score > 0]
        chosen = accepted[:1]
        chosen += [c for c in waiting if not any(c is other for other in chosen)]
        return chosen[: max(size, 0)]

    def _that_enlarge_the_set(self, waiting: list[Candidate]) -> list[Candidate]:
        """Those that promise to make the set larger, at most one of each search; most promising first.

        What is in the set counts as it had promised: the evaluator takes a little off every design.
        """
        left = [c for c in waiting if not c.out_of_bounds]
        front = [c.length_and_aspect for c in self.candidates if c.official_score is not None]
        chosen = list[Candidate]()
        while left:
            best = max(left, key=lambda c: hypervolume([*front, c.length_and_aspect]))
            if (
                hypervolume([*front, best.length_and_aspect])
                < hypervolume(front) + WORTHWHILE_VOLUME
            ):
                break
            chosen.append(best)
            front.append(best.length_and_aspect)
            left = [c for c in left if c.search != best.search]
        return chosen

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
            limit = self.problem.worst(self.problem.violations(best.shape))
            return f"the best design found violates a bound by {best.violation:.4f}: {limit}"
        if self.start_objective is None or self.problem.of_a_set:
            return "no design found is worth a score"
        return f"no design found promises a score more than {WORTHWHILE} above the start's"

    def _refusal(self) -> str:
        last = max(self.candidates, key=lambda c: c.high is not None)
        result = last.high or last.low or {"error": "not evaluated"}
        return result["error"] or f"a bound is violated by {max(result['violations']):.4f}"

    def _tried(self, design: Candidate) -> bool:
        """Whether a design like this one, of the same search, went to the evaluator already."""
        return any(
            candidate.search == design.search
            and candidate.modes == design.modes
            and candidate.resembles(design)
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
            "solves": self.solves,
            "failed_solves": sum(search.failed_solves for search in self.searches),
            "jacobians": sum(search.jacobians for search in self.searches),
        }
        if best is not None:
            problem, objective = self.problem, best.objective
            values |= {
                bound.quantity: v for bound, v in zip(problem.bounds, best.shape, strict=False)
            }
            values["violation"] = best.violation
            values[problem.objective] = None if objective is None else problem.shown(objective)
        return {name: value for name, value in values.items() if value is not None}


def _best_of_each_kind(designs: list[Candidate]) -> list[Candidate]:
    """On target first, then by objective, without those that resemble an earlier one.

    What another one outdoes comes last: it is worth a score only if the evaluator does not solve that one.
    """
    kept: list[Candidate] = []
    for design in sorted(designs, key=lambda c: (c.off_target, c.objective)):
        if not any(design.resembles(other) for other in kept):
            kept.append(design)
    return sorted(kept, key=lambda c: any(c.outdone_by(other) for other in kept if other is not c))
