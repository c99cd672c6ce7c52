"""The driver: gives every worker its next piece of work, and saves and shows each result."""

import signal
import time
from dataclasses import dataclass
from typing import Any

import ray

from stellar_optimization import problem
from stellar_optimization.parameters import Job
from stellar_optimization.run_directory import RunDirectory
from stellar_optimization.state import LARGEST_BOX, Candidate, SearchState, State
from stellar_optimization.worker import Worker

SLICE = 10  # solves per slice of a search, about 5 seconds: what a killed driver loses per worker
LONGEST_WAIT = 120.0  # seconds of search after which a first official score is wanted
PATIENCE = 6  # times the budget


class Superseded(Exception):
    """A later attempt has claimed the job."""


class Terminated(Exception):
    """SIGTERM: the checkpoint is written, the attempt ends."""


@dataclass(frozen=True)
class Task:
    """What a worker is busy with: a slice of its search, or one official score of a candidate."""

    worker: int
    candidate: Candidate | None = None
    fidelity: str = ""


class Campaign:
    """Searches until the time is up; meanwhile and afterwards scores the best designs."""

    def __init__(self, job: Job, files: RunDirectory, state: State) -> None:
        self.job, self.files, self.state = job, files, state
        self._begun = time.monotonic()
        self._seconds_before = state.seconds
        self._terminated = False
        self._tasks: dict[Any, Task] = {}
        score_seconds = job.parameters.score_seconds
        # As many as the first attempt had: each of them continues one search.
        self.workers = [
            Worker.remote(index, job.score_python, score_seconds)
            for index in range(len(state.searches))
        ]

    def run(self) -> State:
        """Work until nothing is left to do; raises Superseded or Terminated when told to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        self._begin_all()
        self._record()
        for index in range(len(self.workers)):
            self._assign(index)
        while self._tasks:
            done, _ = ray.wait(list(self._tasks), num_returns=1, timeout=1.0)
            if self._terminated:
                self._save()
                raise Terminated
            for reference in done:
                self._finish(self._tasks.pop(reference), ray.get(reference))
                if self.files.superseded():
                    raise Superseded
            idle = set(range(len(self.workers))) - {task.worker for task in self._tasks.values()}
            for index in sorted(idle):
                self._assign(index)
        self._save()
        return self.state

    def _begin_all(self) -> None:
        """Start or continue every search; the clock of the search starts when all have compiled."""
        called = time.monotonic()
        first = self.state.step == 0
        seed = self.job.parameters.seed if first else 0
        begun = ray.get([self._begin(index, seed) for index in range(len(self.workers))])
        for search, progress in zip(self.state.searches, begun, strict=True):
            vars(search).update(progress)
        if first and self.state.searches[0].feasible:
            self.state.start_elongation = self.state.searches[0].elongation
        self._begun = time.monotonic()
        print(f"{len(self.workers)} searches compiled in {self._begun - called:.0f} s", flush=True)

    def _begin(self, index: int, seed: int = 0) -> Any:
        return self.workers[index].begin.remote(vars(self.state.searches[index]), seed)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _time_is_up(self) -> bool:
        """A slow machine gets up to PATIENCE times the budget to reach a design worth scoring."""
        budget = self.job.parameters.max_seconds
        promising = self.state.explored() and any(not c.failed for c in self.state.candidates)
        return self.state.seconds >= budget * (1 if promising else PATIENCE)

    def _assign(self, index: int) -> None:
        """Give an idle worker what is most useful now; none when everything useful is under way."""
        search = self.state.searches[index]
        unfinished = next((c for c in self.state.candidates if self._wants_score(c)), None)
        if unfinished:
            self._score(index, unfinished)
        elif self._should_score(index) and (found := self.state.worth_scoring(self._over())):
            origin, best = found
            if best.elongation is None:
                raise ValueError("a feasible search has an elongation")
            candidate = Candidate(origin, best.modes, best.elongation, best.boundary)
            self.state.candidates.append(candidate)
            self._score(index, candidate)
        elif not self._time_is_up() and self._continue(index, search):
            self._tasks[self.workers[index].advance.remote(SLICE)] = Task(index)

    def _continue(self, index: int, search: SearchState) -> bool:
        """Whether the search has more to do; one that has settled goes on with one mode more."""
        if search.settled and search.modes < self.job.parameters.modes:
            search.modes, search.settled, search.box = search.modes + 1, False, LARGEST_BOX
            self._begin(index)
        return not search.settled

    def _scored(self) -> bool:
        return self.state.scored(self.job.parameters)

    def _over(self) -> bool:
        return self._time_is_up() or all(search.settled for search in self.state.searches)

    def _should_score(self, index: int) -> bool:
        """At the end always; before it one at a time, on the worker with the worst search."""
        if self._over():
            return not self._scored()
        if len(self.workers) == 1 or any(task.candidate for task in self._tasks.values()):
            return False
        wait = min(LONGEST_WAIT, self.job.parameters.max_seconds / 2)
        merits = [search.merit or float("inf") for search in self.state.searches]
        due = self.state.seconds >= wait and self.state.explored()
        return due and merits[index] == max(merits)

    def _wants_score(self, candidate: Candidate) -> bool:
        if candidate.high is not None or candidate.failed or self._scored():
            return False
        if any(task.candidate is candidate for task in self._tasks.values()):
            return False
        # Two solves at once slow each other down: at the end the first one decides.
        under_way = any(task.fidelity == "high" for task in self._tasks.values())
        return candidate.low is None or not (self._over() and under_way)

    def _score(self, index: int, candidate: Candidate) -> None:
        fidelity = "low" if candidate.low is None else "high"
        reference = self.workers[index].score.remote(candidate.boundary, fidelity)
        self._tasks[reference] = Task(index, candidate, fidelity)

    def _finish(self, task: Task, result: dict[str, Any]) -> None:
        if task.candidate is None:
            vars(self.state.searches[task.worker]).update(result)
            line = _search_line(task.worker, self.state.searches[task.worker])
        else:
            setattr(task.candidate, task.fidelity, result)
            line = _score_line(task.candidate, result)
        self._record()
        print(f"{self.state.seconds:6.1f} s  step {self.state.step:3d}  {line}", flush=True)

    def _record(self) -> None:
        """One metrics row and one checkpoint."""
        self.state.seconds = self._seconds_before + time.monotonic() - self._begun
        self.state.step += 1
        row = {"step": self.state.step, "time": time.time(), **self.state.row()}
        self.state.history.append(row)
        self.files.write_metrics(row)
        self._save()

    def _save(self) -> None:
        self.files.write_checkpoint(self.state.step, self.state.to_json())


def _search_line(index: int, search: SearchState) -> str:
    counts = f"{search.solves} solves ({search.failed_solves} failed), {search.jacobians} Jacobians"
    name = f"search {index} ({search.modes} modes, smoothness {search.weight:g})"
    if search.elongation is None:
        return f"{name}: no equilibrium yet; {counts}"
    best = f"elongation {search.elongation:.4f}, violation {search.violation:+.4f}"
    return f"{name}: {best}; {counts}{'; settled' if search.settled else ''}"


def _score_line(candidate: Candidate, result: dict[str, Any]) -> str:
    name = f"official {result['fidelity']} fidelity of elongation {candidate.elongation:.4f}"
    if result["error"]:
        return f"{name}: no score ({result['error']})"
    if not result["feasible"]:
        return f"{name}: not feasible (violation {max(result['violations']):+.4f})"
    published = f"; published: {problem.PUBLISHED_SCORE}" if result["fidelity"] == "high" else ""
    return f"{name}: {result['score']:.6f} in {result['seconds']:.0f} s{published}"
