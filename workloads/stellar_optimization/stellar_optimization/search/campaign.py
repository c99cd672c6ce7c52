"""The driver: gives every worker its next piece of work, and saves and shows each result."""

import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import ray

from stellar_optimization.learn.recorder import Place, Recorder
from stellar_optimization.problems.design import Boundary
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.problems.problem import Problem
from stellar_optimization.run.parameters import Job
from stellar_optimization.run.rate import Rate
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.candidate import Candidate
from stellar_optimization.search.search_state import SearchState
from stellar_optimization.search.state import State
from stellar_optimization.search.worker import Worker

if TYPE_CHECKING:
    from stellar_optimization.physics.field import BoundaryField

SLICE = 10  # solves per slice of a search, about 5 seconds: what a killed driver loses per worker
ATTENTION = 0.5  # seconds until SIGTERM is noticed
DEPTH = 2  # designs of each search that are finalists
MOST_LOSSES = 20  # workers that may die before the attempt does


class Superseded(Exception):
    """A later attempt has claimed the job."""


class Terminated(Exception):
    """SIGTERM: the checkpoint is written, the attempt ends. Arguments: what was under way, step."""


@dataclass(frozen=True)
class Task:
    """What a worker is busy with: a slice of a search, or one official score of a candidate."""

    worker: int
    search: int = 0
    candidate: Candidate | None = None
    fidelity: str = ""


class Campaign:
    """Searches until all searches have finished, then scores the best designs.

    Every decision depends on what was computed and never on when: the same seed and number of
    workers give the same designs on any machine, and with any interruptions.
    """

    def __init__(self, job: Job, files: RunDirectory, state: State) -> None:
        self.job, self.files, self.state = job, files, state
        self._recorder = Recorder(files, state.problem.name)
        self._begun = time.monotonic()
        self._seconds_before = state.seconds
        self._rate = Rate(state.seconds, state.solves)
        self._terminated = False
        self._tasks: dict[Any, Task] = {}
        self._losses = 0
        self._prepared: set[int] = set()  # workers that have started their evaluator
        # Search i is worker i's, or that of one with several searches: i modulo the number of workers.
        self.workers = [self._new_worker() for _ in range(min(job.workers, len(state.searches)))]
        self._held: list[int | None] = [None] * len(state.searches)  # stage that its worker holds

    def _new_worker(self) -> Any:
        return Worker.remote(self.job.score_python, self.job.parameters.score_seconds)

    def run(self) -> State:
        """Work until nothing is left to do; raises Superseded or Terminated when told to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        self._save()
        if self.state.search_seconds is None:
            print(
                "compiling, which takes half a minute on an idle machine, or loading what was compiled",
                flush=True,
            )
        self._search()
        self._score_finalists()
        self._save()
        return self.state

    def close(self) -> None:
        """Give the workers' cores back."""
        for worker in self.workers:
            ray.kill(worker)

    def check(self, activity: str) -> None:
        """End here if SIGTERM has come: save, and raise Terminated."""
        if self._terminated:
            self._save()
            raise Terminated(activity, self.state.step)

    def field(
        self, boundary: Boundary, theta: np.ndarray, phi: np.ndarray
    ) -> "Callable[[], BoundaryField]":
        """Begin to solve for the field at angles (rad) of two arrays of one shape.

        What is returned waits for it; it raises ValueError where there is no equilibrium.
        """

        def ask() -> Any:
            return self.workers[0].field.remote(boundary.to_json(), theta, phi)

        def answer() -> "BoundaryField":
            reference = asked
            while True:
                while not ray.wait([reference], timeout=ATTENTION)[0]:
                    self.check("drawing")  # ray.get alone would not hear of SIGTERM
                try:
                    found: BoundaryField = ray.get(reference)
                except ray.exceptions.RayActorError:
                    self._renew(0)
                    reference = ask()
                else:
                    return found

        asked = ask()
        return answer

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _search(self) -> None:
        """Let every search go on, each at its own pace, until none has anything left to do."""
        while True:
            if not self.state.over(self.job.parameters):
                for worker in self._idle():
                    if (index := self._next_search(worker)) is not None:
                        self._advance(index)
                    else:
                        self._prepare_to_score(worker)
            if not self._tasks:
                break
            self._take("compiling" if self.state.step == 0 else "searching")
        if self.state.search_seconds is None:
            self.state.search_seconds = self._seconds()
            for index, search in enumerate(self.state.searches):
                self._recorder.end(self._named(index), search.slices + 1, search.held_row)
                search.held_row = None
            self._record()

    def _named(self, index: int) -> str:
        """Of a search, among those of all problems that the job solves."""
        problem = self.state.problem
        return f"{index:03d}" if problem is GEOMETRICAL else f"{problem.name}-{index:03d}"

    def _score_finalists(self) -> None:
        """Official scores: low fidelity for all finalists, high fidelity wave by wave."""
        for depth in (DEPTH, DEPTH + 2):
            known = self.state.candidates
            self.state.candidates += self.state.finalists(depth)
            while True:
                if fresh := [c for c in known if c.low is None]:
                    self._score(fresh, "low")
                elif wave := self._wave(unlikely=depth > DEPTH):
                    self._score(wave, "high")
                else:
                    break
            if self.state.official_score() is not None:
                return

    def _wave(self, *, unlikely: bool) -> list[Candidate]:
        """What is left of the wave that an earlier attempt began; else the next wave."""
        candidates = self.state.candidates
        left = [c for c in (candidates[i] for i in self.state.wave_under_way) if c.high is None]
        if left:
            return left
        wave = self.state.wave(self.job.parameters, unlikely=unlikely)
        self.state.wave_under_way = [i for i, c in enumerate(candidates) if _among(c, wave)]
        return wave

    def _score(self, candidates: list[Candidate], fidelity: str) -> None:
        waiting = list(candidates)
        while waiting or self._tasks:
            for worker in self._idle():
                if waiting:
                    task = Task(worker, candidate=waiting.pop(0), fidelity=fidelity)
                    self._evaluate(task)
            self._take("scoring")

    def _idle(self) -> list[int]:
        return sorted(
            set(range(len(self.workers))) - {task.worker for task in self._tasks.values()}
        )

    def _next_search(self, worker: int) -> int | None:
        """Of the worker's searches the one that has had the fewest slices, of those that can go on."""
        own = range(worker, len(self.state.searches), len(self.workers))
        for index in sorted(own, key=lambda i: (self.state.searches[i].slices, i)):
            if self.state.ready(index, self.job.parameters):
                return index
        return None

    def _prepare_to_score(self, worker: int) -> None:
        """Once all searches of the worker have ended, while others go on."""
        own = self.state.searches[worker :: len(self.workers)]
        if worker not in self._prepared and all(search.finished for search in own):
            self._prepared.add(worker)
            self.workers[worker].prepare_to_score.remote()

    def _advance(self, index: int) -> None:
        worker = index % len(self.workers)
        search = self.state.searches[index]
        # A worker that was lost, or a new stage: the worker needs to know where to begin.
        state = None if self._held[index] == search.stage else asdict(search)
        self._held[index] = search.stage
        reference = self.workers[worker].advance.remote(
            state, self.job.parameters.seed, SLICE, index
        )
        self._tasks[reference] = Task(worker, index)

    def _evaluate(self, task: Task) -> None:
        assert task.candidate is not None
        boundary = task.candidate.boundary
        reference = self.workers[task.worker].score.remote(
            boundary, task.fidelity, task.candidate.problem
        )
        self._tasks[reference] = task

    def _take(self, activity: str) -> None:
        """Wait a moment for whatever is done, and act on it."""
        done, _ = ray.wait(list(self._tasks), num_returns=1, timeout=ATTENTION)
        self.check(activity)
        for reference in done:
            task = self._tasks.pop(reference)
            try:
                result = ray.get(reference)
            except ray.exceptions.RayActorError:
                self._replace(task)
                continue
            self._finish(task, result)
            if self.files.superseded():
                raise Superseded

    def _renew(self, worker: int) -> None:
        """A new worker for one that was lost."""
        self._losses += 1
        if self._losses > MOST_LOSSES:
            raise RuntimeError(f"{self._losses} workers were lost; see the log of Ray")
        print(f"worker {worker} was lost; a new one repeats what it was doing", flush=True)
        self.workers[worker] = self._new_worker()
        self._prepared.discard(worker)
        for index in range(worker, len(self._held), len(self.workers)):
            self._held[index] = None

    def _replace(self, task: Task) -> None:
        self._renew(task.worker)
        if task.candidate is None:
            self._advance(task.search)
        else:
            self._evaluate(task)

    def _finish(self, task: Task, result: dict[str, Any]) -> None:
        if task.candidate is None:
            search = self.state.searches[task.search]
            first = search.slices == 0 and task.search == 0
            self.state.cpu_seconds += result.pop("cpu")
            name = self._named(task.search)
            origin = name if search.came_from is None else self._named(search.came_from)
            search.held_row = self._recorder.slice(
                Place(name, origin, search.stage, task.worker),
                search.slices,
                search.held_row,
                result,
            )
            search.update(result)
            if first and search.feasible:
                self.state.start_objective = search.objective
            line = _search_line(task.search, search)
        else:
            self.state.cpu_seconds += result.get("cpu_seconds", 0.0)
            setattr(task.candidate, task.fidelity, result)
            line = _score_line(self.state.problem, task.candidate, result)
        self._record()
        print(f"{self.state.seconds:6.1f} s  step {self.state.step:3d}  {line}", flush=True)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._begun

    def _record(self) -> None:
        """One metrics row and one checkpoint."""
        self.state.seconds = self._seconds()
        self.state.step += 1
        row = {"step": self.state.step, "time": time.time(), **self.state.row()}
        if self.state.search_seconds is None:
            rate = self._rate.now(self.state.seconds, self.state.solves)
            row["solves_per_second"] = round(rate, 3)
        self.state.history.append(row)
        self.files.write_metrics(row)
        self._save()

    def _save(self) -> None:
        self.files.write_checkpoint(self.state.step, self.state.to_json())


def _among(candidate: Candidate, candidates: list[Candidate]) -> bool:
    return any(candidate is other for other in candidates)


def _search_line(index: int, search: SearchState) -> str:
    counts = f"{search.solves} solves ({search.failed_solves} failed), {search.jacobians} Jacobians"
    name = f"search {index} ({search.modes} modes, smoothness {search.weight:g})"
    if search.objective is None:
        return f"{name}: no equilibrium; {counts}"
    best = f"{_named(search.task, search.objective)}, violation {search.violation:+.4f}"
    if not search.feasible:
        best += f" ({search.task.worst(search.task.violations(search.shape))})"
    return f"{name}: {best}; {counts}{'; settled' if search.settled else ''}"


def _named(problem: Problem, objective: float) -> str:
    return f"{problem.objective.replace('_', ' ')} {problem.shown(objective):.4f}"


def _score_line(problem: Problem, candidate: Candidate, result: dict[str, Any]) -> str:
    name = f"official {result['fidelity']} fidelity of {_named(problem, candidate.objective)}"
    if result["error"]:
        return f"{name}: no score ({result['error']})"
    if not result["feasible"]:
        worst = problem.worst(result["violations"])
        return f"{name}: not feasible ({worst}: violation {max(result['violations']):+.4f})"
    published = f"; published: {problem.published}" if result["fidelity"] == "high" else ""
    return f"{name}: {result['score']:.6f} in {result['cpu_seconds']:.0f} CPU-s{published}"
