"""The driver: gives every worker its next piece of work, and saves and shows each result."""

import signal
import time
from dataclasses import dataclass
from typing import Any

import ray

from stellar_optimization import problem
from stellar_optimization.candidate import Candidate
from stellar_optimization.parameters import Job
from stellar_optimization.run_directory import RunDirectory
from stellar_optimization.state import LARGEST_BOX, SearchState, State
from stellar_optimization.worker import Worker

SLICE = 10  # solves per slice of a search, about 5 seconds: what a killed driver loses per worker
PATIENCE = 120.0  # seconds of search after which a first official score is wanted
ATTENTION = 0.5  # seconds until SIGTERM is noticed


class Superseded(Exception):
    """A later attempt has claimed the job."""


class Terminated(Exception):
    """SIGTERM: the checkpoint is written, the attempt ends. Its text says what was under way."""


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
        if not self._over():
            self._begin_all()
            self._record()
        self._assign_idle()
        while self._tasks:
            done, _ = ray.wait(list(self._tasks), num_returns=1, timeout=ATTENTION)
            self.check("scoring" if self._over() else "searching")
            for reference in done:
                self._finish(self._tasks.pop(reference), ray.get(reference))
                if self.files.superseded():
                    raise Superseded
            self._assign_idle()
        self._save()
        return self.state

    def check(self, activity: str) -> None:
        """End here if SIGTERM has come: save, and raise Terminated."""
        if self._terminated:
            self._save()
            raise Terminated(activity)

    def get(self, references: list[Any], activity: str) -> list[Any]:
        """What the workers answer, or Terminated; ray.get alone would not hear of SIGTERM."""
        waiting = references
        while waiting:
            _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=ATTENTION)
            self.check(activity)
        answers: list[Any] = ray.get(references)
        return answers

    def _begin_all(self) -> None:
        """Start or continue every search; the clock of the search starts when all have compiled."""
        print("compiling, which takes half a minute on an idle machine", flush=True)
        called = time.monotonic()
        first = self.state.step == 0
        seed = self.job.parameters.seed if first else 0
        calls = [self._begin(index, seed) for index in range(len(self.workers))]
        begun = self.get(calls, "compiling")
        for search, progress in zip(self.state.searches, begun, strict=True):
            search.update(progress)
        if first and self.state.searches[0].feasible:
            self.state.start_elongation = self.state.searches[0].elongation
        self._begun = time.monotonic()
        print(f"{len(self.workers)} searches compiled in {self._begun - called:.0f} s", flush=True)

    def _begin(self, index: int, seed: int = 0) -> Any:
        return self.workers[index].begin.remote(vars(self.state.searches[index]), seed)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _over(self) -> bool:
        return self.state.over(self.job.parameters)

    def _assign_idle(self) -> None:
        """Give each idle worker what is most useful now; none when everything is under way."""
        self.state.seconds = self._seconds()
        if self._over() and not self._searching():
            if self.state.search_seconds is None:
                self.state.search_seconds = self.state.seconds
            if not self._scored():
                self.state.candidates += self.state.finalists()
        idle = set(range(len(self.workers))) - {task.worker for task in self._tasks.values()}
        for index in sorted(idle):
            self._assign(index)

    def _assign(self, index: int) -> None:
        search = self.state.searches[index]
        if self._due(index) and (best := self.state.worth_scoring()):
            self.state.candidates.append(best)
        if choice := self._next_to_score():
            self._score(index, *choice)
        elif not self._over() and self._continue(index, search):
            self._tasks[self.workers[index].advance.remote(SLICE)] = Task(index)

    def _continue(self, index: int, search: SearchState) -> bool:
        """Whether the search has more to do; one that has settled goes on with one mode more."""
        if search.finished(self.job.parameters):
            return False
        if search.settled:
            search.modes, search.settled, search.box = search.modes + 1, False, LARGEST_BOX
            self._begin(index)
        return True

    def _searching(self) -> bool:
        return any(task.candidate is None for task in self._tasks.values())

    def _scored(self) -> bool:
        return self.state.scored(self.job.parameters)

    def _due(self, index: int) -> bool:
        """In a long search now and then, one at a time, on the worker with the worst search."""
        if self._over() or len(self.workers) == 1 or self.state.seconds < PATIENCE:
            return False
        if any(task.candidate for task in self._tasks.values()) or not self.state.explored():
            return False
        merits = [search.merit or float("inf") for search in self.state.searches]
        return merits[index] == max(merits)

    def _next_to_score(self) -> tuple[Candidate, str] | None:
        # At the end the last slices of the search are waited for: they may bring a better design.
        if self._scored() or (self._over() and self._searching()):
            return None
        under_way = [task.candidate for task in self._tasks.values() if task.candidate]
        return self.state.next_to_score(under_way)

    def _score(self, index: int, candidate: Candidate, fidelity: str) -> None:
        reference = self.workers[index].score.remote(candidate.boundary, fidelity)
        self._tasks[reference] = Task(index, candidate, fidelity)

    def _finish(self, task: Task, result: dict[str, Any]) -> None:
        if task.candidate is None:
            self.state.searches[task.worker].update(result)
            line = _search_line(task.worker, self.state.searches[task.worker])
        else:
            setattr(task.candidate, task.fidelity, result)
            line = _score_line(task.candidate, result)
        self._record()
        print(f"{self.state.seconds:6.1f} s  step {self.state.step:3d}  {line}", flush=True)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._begun

    def _record(self) -> None:
        """One metrics row and one checkpoint."""
        self.state.seconds = self._seconds()
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
