"""The task `loop`: search, learn from the solves, search again from starts that the surrogate proposes.

Every round after the first compares three kinds of starts at equal forward solves: proposed ones, rotating
ellipses (cold), and the best designs found before (archived), which shows what the surrogate adds to
remembering.
"""

import json
import signal
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import ray

from stellar_optimization.learn import pictures, starts
from stellar_optimization.learn.comparison import ARCHIVED, COLD, PROPOSED, compare, verdict
from stellar_optimization.learn.cost import Cost
from stellar_optimization.learn.dataset import Dataset, NoData, load
from stellar_optimization.learn.episode import Episode
from stellar_optimization.learn.finalists import (
    Finalist,
    finalists,
    gated,
    official,
    reported,
)
from stellar_optimization.learn.judge import judged, proposed
from stellar_optimization.learn.recorder import Place, Recorder
from stellar_optimization.learn.train import fit, prepare
from stellar_optimization.learn.training_job import (
    LossWatch,
    surrogate_summary,
    table,
    write_evaluation,
)
from stellar_optimization.pictures.theme import THEMES
from stellar_optimization.run.parameters import Job
from stellar_optimization.run.rate import Rate
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.campaign import ATTENTION, MOST_LOSSES, Superseded, Terminated
from stellar_optimization.search.worker import Worker

SLICE = 10  # solves per slice of a search
GATED = 2  # designs that low fidelity looks at, for each that high fidelity may score
PROBLEM = "geometrical"


class Loop:
    """One attempt. Its decisions depend on what was computed alone, never on which worker was first."""

    def __init__(self, job: Job, files: RunDirectory, saved: dict[str, Any] | None) -> None:
        self._job, self._files, self._parameters = job, files, job.parameters
        self._recorder = Recorder(files, PROBLEM)
        self._terminated, self._losses = False, 0
        self._began = time.monotonic()
        saved = saved or {"task": "loop", "step": 0, "seconds": 0.0, "cpu": 0.0, "episodes": []}
        self.step, self._seconds, self._cpu = saved["step"], saved["seconds"], saved["cpu"]
        self._episodes = [Episode(**episode) for episode in saved["episodes"]]
        self._figures: dict[str, Any] = saved.get("figures", {})
        self._lows: list[dict[str, Any]] = saved.get("lows", [])
        self._scores: list[dict[str, Any]] = saved.get("scores", [])
        self._modes = job.parameters.modes

    def run(self) -> dict[str, Any]:
        """All rounds, then the results; raises Superseded or Terminated."""
        signal.signal(signal.SIGTERM, self._terminate)
        if not self._episodes:
            self._episodes = starts.cold(self._parameters, 0)
        self._save()
        for number in range(self._parameters.rounds + 1):
            if all(episode.round < number for episode in self._episodes):
                self._learn_and_propose(number)
            self._search([e for e in self._episodes if e.round == number and not e.done])
        designs = finalists(self._solved(), GATED * self._parameters.scores)
        self._score(designs, "low", self._lows)
        designs = gated(designs, self._lows)[: self._parameters.scores]
        self._score(designs, "high", self._scores)
        return self._results(designs)

    # Searching

    def _search(self, waiting: list[Episode]) -> None:
        """Run the episodes, one per worker at a time."""
        if not waiting:
            return
        print(
            f"round {waiting[0].round}: {len(waiting)} searches; compiling first, or loading",
            flush=True,
        )
        workers = [self._worker() for _ in range(self._job.workers)]
        self._rate = Rate(self._elapsed(), self._solves()[0])
        tasks: dict[Any, tuple[int, Episode]] = {}
        while waiting or tasks:
            busy = {index for index, _ in tasks.values()}
            for index in sorted(set(range(len(workers))) - busy)[: len(waiting)]:
                episode = waiting.pop(0)
                tasks[self._advance(workers[index], episode, new=True)] = (index, episode)
            done, _ = ray.wait(list(tasks), num_returns=1, timeout=ATTENTION)
            self._check("searching")
            for reference in done:
                index, episode = tasks.pop(reference)
                lost = self._lost(reference)
                if lost:
                    workers[index] = self._worker()
                else:
                    self._finish(index, episode, ray.get(reference))
                if not episode.done:
                    tasks[self._advance(workers[index], episode, new=lost)] = (index, episode)
        for worker in workers:  # their cores are needed for learning
            ray.kill(worker)

    def _worker(self) -> Any:
        return Worker.remote(self._job.score_python, self._parameters.score_seconds)

    def _lost(self, reference: Any) -> bool:
        try:
            ray.get(reference)
        except ray.exceptions.RayActorError:
            self._losses += 1
            if self._losses > MOST_LOSSES:
                raise
            print("a worker was lost; a new one repeats what it was doing", flush=True)
            return True
        return False

    def _advance(self, worker: Any, episode: Episode, *, new: bool) -> Any:
        fresh = episode.begin(self._modes, self._parameters.spectral_weight)
        return worker.advance.remote(episode.search if new or fresh else None, 0, SLICE)

    def _finish(self, index: int, episode: Episode, result: dict[str, Any]) -> None:
        assert episode.search is not None
        self._cpu += result.pop("cpu")
        cost = Cost(result["metrics"], self._modes, 0.0)
        values = [row["values"] for row in result["rows"]]
        merits = [None if v is None else float(cost.merit(np.array(v))) for v in values]
        violated = [None if v is None else float(cost.violation(np.array(v))) for v in values]
        place = Place(episode.name, episode.origin, episode.search["stage"], index)
        held = self._recorder.slice(place, episode.slices, episode.held_row, result)
        episode.held_row = held
        episode.update(result, merits, violated)
        if len(episode.merits) >= self._parameters.start_solves:
            episode.done = True
            self._recorder.end(episode.name, episode.slices, held)
            episode.held_row, episode.search = None, None
            best = episode.best(self._parameters.start_solves)[-1]
            print(f"{episode.name}: {episode.begun} starts, best merit {best:.4f}", flush=True)
        rate = self._rate.now(self._elapsed(), self._solves()[0])
        self._record({"solves_per_second": round(rate, 3)})

    # Scoring

    def _solved(self) -> Dataset:
        try:
            return load({self._job.job_id: self._job.directory}, PROBLEM).dataset
        except NoData as error:
            raise NoData(
                "starts, start_solves: too few of the first solves have an equilibrium; ask for more of them"
            ) from error

    def _score(self, designs: list[Finalist], fidelity: str, results: list[dict[str, Any]]) -> None:
        """Add what the evaluator says of those without a result; at high until one is accepted."""
        left = designs[len(results) :]
        if not left or (fidelity == "high" and self._accepted()):
            return
        worker = self._worker()
        for design in left:
            print(f"official {fidelity} fidelity of elongation {design.elongation:.4f}", flush=True)
            while True:
                reference = worker.score.remote(design.boundary, fidelity, PROBLEM)
                while not ray.wait([reference], timeout=ATTENTION)[0]:
                    self._check("scoring")
                if not self._lost(reference):
                    break
                worker = self._worker()
            result = ray.get(reference)
            self._cpu += result["cpu_seconds"]
            results.append(result)
            said = f"{result['score']:.6f}" if result["feasible"] else "not accepted"
            print(f"official {fidelity} fidelity: {said}", flush=True)
            scored = fidelity == "high" and result["feasible"]
            self._record({"official_score": result["score"]} if scored else {})
            if scored:
                break
        ray.kill(worker)

    def _accepted(self) -> bool:
        return any(result["feasible"] for result in self._scores)

    # Learning

    def _learn_and_propose(self, number: int) -> None:
        training = prepare(self._solved(), self._parameters.members)
        self._losses_seen = LossWatch(self._files, self.step)
        weights = fit(
            training,
            self._files,
            self._parameters.members,
            self._parameters.epochs,
            self._job.workers,
            self._watch,
        )
        self.step = self._losses_seen.step
        content, evaluation = judged(training, weights)
        write_evaluation(self._files, content, evaluation)
        print(table(evaluation), flush=True)
        self._figures = surrogate_summary(training, evaluation)
        # Held-out designs are bred from by nobody: else no later figure of them would be honest.
        archive = training.parts["train"]
        cold, count = starts.cold(self._parameters, number), self._parameters.starts
        found = proposed(
            content,
            archive,
            starts.inputs_of(cold, self._modes),
            weight=self._parameters.spectral_weight,
            count=self._parameters.candidates,
            starts=starts.SPARE * count,
            seed=self._parameters.seed + number,
        )
        chances = ", ".join(f"{start.solved:.2f}" for start in found[:count])
        print(f"proposed starts have an equilibrium with probability {chances}", flush=True)
        best = starts.best_of_families(archive, self._parameters.spectral_weight)
        self._episodes += cold
        for arm, inputs in (
            (PROPOSED, np.array([start.inputs for start in found])),
            (ARCHIVED, best),
        ):
            self._episodes += starts.learnt(number, arm, inputs, archive, count)
        self._save()

    # State

    def _watch(self, notes: list[dict[str, float]]) -> None:
        self._losses_seen.take(notes)
        self._check("learning")

    def _check(self, activity: str) -> None:
        if self._terminated:
            self._save()
            raise Terminated(activity, self.step)
        if self._files.superseded():
            raise Superseded

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _finals(self) -> dict[str, list[float]]:
        """Best merit of each finished episode by arm; of rounds in which all arms took part."""
        solves = self._parameters.start_solves
        return {
            arm: [e.best(solves)[-1] for e in self._episodes if e.arm == arm and e.round and e.done]
            for arm in (COLD, PROPOSED, ARCHIVED)
        }

    def _record(self, more: dict[str, Any]) -> None:
        self.step += 1
        finals = self._finals()
        solves, failed = self._solves()
        row = {"step": self.step, "time": time.time(), "solves": solves, "failed_solves": failed}
        if finals[PROPOSED] and finals[COLD]:
            more = {**more, "proposed_wins": compare(finals)["proposed_wins"]}
        self._files.write_metrics({**row, **more})
        self._save()

    def _solves(self) -> tuple[int, int]:
        """Forward solves so far, and those of them that found no equilibrium."""
        merits = [merit for episode in self._episodes for merit in episode.merits]
        return len(merits), sum(merit is None for merit in merits)

    def _elapsed(self) -> float:
        return round(self._seconds + time.monotonic() - self._began, 1)

    def _save(self) -> None:
        state = {
            "task": "loop",
            "step": self.step,
            "seconds": self._elapsed(),
            "cpu": self._cpu,
            "figures": self._figures,
            "lows": self._lows,
            "scores": self._scores,
            "episodes": [asdict(episode) for episode in self._episodes],
        }
        self._files.write_checkpoint(self.step, state)

    def _results(self, designs: list[Finalist]) -> dict[str, Any]:
        figures = compare(self._finals())
        said = verdict(figures)
        solves = self._parameters.start_solves
        curves = {
            arm: [e.best(solves) for e in self._episodes if e.arm == arm and e.round]
            for arm in (COLD, PROPOSED, ARCHIVED)
        }
        if best := reported(designs, self._scores):
            content = json.dumps(best.boundary, indent=1) + "\n"
            self._files.write_result("design.json", content.encode())
        for theme in THEMES:
            self._files.write_result(
                f"starts{theme.suffix}.png", pictures.arms(curves, solves, theme)
            )
        summary = {
            "task": "loop",
            "verdict": said,
            **official(designs, self._scores),
            "solves_per_start": solves,
            **figures,
            **self._figures,
            "cpu_hours": round(self._cpu / 3600, 4),
            "seconds": self._elapsed(),
        }
        self._files.write_result("summary.json", (json.dumps(summary, indent=1) + "\n").encode())
        print(said, flush=True)
        return summary
