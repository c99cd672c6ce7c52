"""The task `train`: a surrogate of what finished jobs have solved, and how far to trust it."""

import json
import signal
import time
from typing import Any

from stellar_optimization.learn import pictures
from stellar_optimization.learn.dataset import finished_jobs, in_words, job_directories, load
from stellar_optimization.learn.evaluation import headline
from stellar_optimization.learn.judge import judged
from stellar_optimization.learn.train import Training, fit, prepare
from stellar_optimization.pictures.theme import THEMES
from stellar_optimization.run.parameters import Job
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.campaign import Superseded, Terminated

ALL = "all"
METRICS_SECONDS = 2.0  # at least, between two rows of metrics


class TrainingJob:
    """One attempt of it. Its checkpoint holds which jobs it learns from; the members have their own."""

    def __init__(self, job: Job, files: RunDirectory, saved: dict[str, Any] | None) -> None:
        """NoData when the parameters name no rows, or too few."""
        self._job, self._files = job, files
        self._terminated = False
        self._saved = saved or {"task": "train", "jobs": self._named(), "step": 0}
        self.watch = LossWatch(files, self._saved["step"])
        directories = job_directories(job.directory, self._saved["jobs"])
        archive = load(directories, job.parameters.problem)
        self._aside = archive.aside
        self._training = prepare(archive.dataset, job.parameters.members)

    def _named(self) -> list[str]:
        names = self._job.parameters.rows_from.replace(",", " ").split()
        return finished_jobs(self._job.directory) if names == [ALL] else names

    def run(self) -> dict[str, Any]:
        """Train, judge and write the results; raises Superseded or Terminated."""
        signal.signal(signal.SIGTERM, self._terminate)
        self._save()
        parts = self._training.parts
        counts = {name: len(part.solved) for name, part in parts.items()}
        print(f"rows of {', '.join(self._saved['jobs'])}: {counts}", flush=True)
        if self._aside:
            print(f"left aside: {in_words(self._aside)}", flush=True)
        began, parameters = time.monotonic(), self._job.parameters
        weights = fit(
            self._training,
            self._files,
            parameters.members,
            parameters.epochs,
            self._job.workers,
            self._watch,
        )
        content, evaluation = judged(self._training, weights)
        write_evaluation(self._files, content, evaluation)
        print(table(evaluation), flush=True)
        summary = {
            "task": "train",
            "problem": self._job.parameters.problem,
            "jobs": self._saved["jobs"],
            "rows_left_aside": in_words(self._aside) or "none",
            "training_seconds": round(time.monotonic() - began, 1),
            **surrogate_summary(self._training, evaluation),
        }
        self._files.write_result("summary.json", (json.dumps(summary, indent=1) + "\n").encode())
        return summary

    def _watch(self, notes: list[dict[str, float]]) -> None:
        self.watch.take(notes)
        if self._terminated:
            self._save()
            raise Terminated("training", self.watch.step)
        if self._files.superseded():
            raise Superseded

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _save(self) -> None:
        self._saved["step"] = self.watch.step
        self._files.write_checkpoint(self.watch.step, self._saved)


class LossWatch:
    """Turns what ranks report into live metrics: the mean of the members' best losses so far."""

    def __init__(self, files: RunDirectory, step: int) -> None:
        self._files, self.step = files, step
        self._losses: dict[float, float] = {}
        self._epochs: dict[float, float] = {}
        self._written = 0.0

    def take(self, notes: list[dict[str, float]]) -> None:
        for note in notes:
            self._losses[note["member"]] = note["best_loss"]
            self._epochs[note["member"]] = note["epoch"]
        if not notes or time.monotonic() - self._written < METRICS_SECONDS:
            return
        self._written = time.monotonic()
        self.step += 1
        loss = sum(self._losses.values()) / len(self._losses)
        epochs = sum(self._epochs.values())
        row = {"step": self.step, "time": time.time(), "surrogate_loss": loss, "epochs": epochs}
        self._files.write_metrics(row)
        print(f"epochs {epochs:.0f}, loss {loss:.4f}", flush=True)


def write_evaluation(files: RunDirectory, surrogate: bytes, evaluation: dict[str, Any]) -> None:
    """The surrogate, its held-out figures and pictures of them, below results/."""
    files.write_result("surrogate.npz", surrogate)
    files.write_result("surrogate.json", (json.dumps(evaluation) + "\n").encode())
    for theme in THEMES:
        drawn = pictures.calibration(evaluation, theme)
        files.write_result(f"calibration{theme.suffix}.png", drawn)


def surrogate_summary(training: Training, evaluation: dict[str, Any]) -> dict[str, Any]:
    """Figures of the held-out rows for summary.json."""
    parts = training.parts
    figures: dict[str, Any] = {
        f"{name}_rows": len(parts[name].solved) for name in ("train", "held_out")
    }
    figures["lineages"] = sum(len(set(part.lineage)) for part in parts.values())
    figures["rows_digest"] = training.digest
    for name, values in headline(evaluation).items():
        for figure in ("r2", "rmse", "within_1_sigma", "within_2_sigma"):
            figures[f"{name}_{figure}"] = round(values[figure], 6)
    figures["solved_brier"] = round(evaluation["solved"]["brier"], 6)
    figures["solved_brier_of_share"] = round(evaluation["solved"]["brier_of_share"], 6)
    figures["solved_ranked_right"] = round(evaluation["solved"]["ranked_right"], 6)
    return figures


def table(evaluation: dict[str, Any]) -> str:
    """Held-out figures per metric, for the log."""
    lines = [f"{'metric':<24}{'R2':>8}{'RMSE':>10}{'in 1 sigma':>12}{'in 2 sigma':>12}"]
    for name, figures in headline(evaluation).items():
        shares = f"{figures['within_1_sigma']:>12.3f}{figures['within_2_sigma']:>12.3f}"
        lines.append(f"{name:<24}{figures['r2']:>8.3f}{figures['rmse']:>10.4f}{shares}")
    solved = evaluation["solved"]
    lines.append(
        f"equilibrium or none: {solved['share']:.2f} solved, ranked right {solved['ranked_right']:.3f},"
        f" Brier {solved['brier']:.3f} (of the share alone {solved['brier_of_share']:.3f})"
    )
    return "\n".join(lines)
