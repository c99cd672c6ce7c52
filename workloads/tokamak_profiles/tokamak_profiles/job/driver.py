"""The driver: has operating points solved, the ensemble trained, and what came of it written.

Every decision depends on what was computed and never on when, and each piece is computed from the
parameters alone: with any interruptions and any number of workers the result is the same.
"""

import signal
import threading
import time
from typing import Any

import numpy as np
import ray

from tokamak_profiles.job.attempt import Attempt
from tokamak_profiles.job.run_directory import RunDirectory
from tokamak_profiles.learning.evaluation import Evaluation, evaluate
from tokamak_profiles.learning.rows import Rows, batches, solve_batch
from tokamak_profiles.learning.training import ROUNDS, Record, train

ATTENTION = 0.5  # seconds until SIGTERM and a later attempt are noticed
BATCH_FILE = r"rows-(\d+)\.npz"
MOST_UNSOLVED = 0.25  # of the operating points; more means that something is broken


class Superseded(Exception):
    """A later attempt has claimed the job."""


class Terminated(Exception):
    """SIGTERM. Its text says what was under way; what was done is saved already."""


class Driver:
    """One attempt's way through solving, training and evaluating."""

    def __init__(self, attempt: Attempt, files: RunDirectory) -> None:
        self.attempt, self.files = attempt, files
        self._asked = batches(attempt.parameters.rows, attempt.parameters.seed)
        self._terminated = False

    def run(self) -> tuple[Rows, Record, Evaluation]:
        """Raises Superseded or Terminated when told to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        rows = self._solved_rows()
        first_step = len(self._asked)
        record = Record(self.files)
        if record.round:
            print(f"goes on after {record.round} of {ROUNDS} rounds of training", flush=True)
        if record.round < ROUNDS:
            self._train(rows, record, first_step)
            record = Record(self.files)
        stored = record.members(self.attempt.parameters.members)
        evaluation = self._get(evaluate.remote(rows, stored, self.attempt.parameters), "evaluating")
        self._last_metrics(evaluation, record, first_step + ROUNDS + 1)
        return rows, record, evaluation

    def _solved_rows(self) -> Rows:
        """All operating points, solved; those that an earlier attempt solved are read."""
        found = {
            number: Rows.from_bytes(self.files.read(path))
            for path, (_, number) in self.files.checkpoints(BATCH_FILE).items()
        }
        if found:
            print(f"{len(found)} of {len(self._asked)} batches were solved before", flush=True)
        else:
            print("solving; compiling takes a quarter of a minute on an idle machine", flush=True)
        waiting = [number for number in range(len(self._asked)) if number not in found]
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < self.attempt.workers:
                number = waiting.pop(0)
                running[solve_batch.remote(self._asked[number])] = number
            done, _ = ray.wait(list(running), num_returns=1, timeout=ATTENTION)
            self._check("solving")
            for reference in done:
                number = running.pop(reference)
                found[number] = ray.get(reference)
                self.files.write_checkpoint(f"rows-{number:06d}.npz", found[number].to_bytes())
                self._report_rows(list(found.values()))
        rows = Rows.joined([found[number] for number in sorted(found)])
        if (unsolved := float((~rows.solved).mean())) > MOST_UNSOLVED:
            raise RuntimeError(f"{unsolved:.0%} of the operating points have no solution")
        return rows

    def _report_rows(self, found: list[Rows]) -> None:
        solved = np.concatenate([part.solved for part in found])
        count = {"rows_solved": int(solved.sum()), "rows_unsolved": int((~solved).sum())}
        self.files.write_metrics({"step": len(found), "time": time.time(), **count})
        print(
            f"batch {len(found)} of {len(self._asked)}: {count['rows_solved']} operating points "
            f"solved, {count['rows_unsolved']} without a solution",
            flush=True,
        )

    def _train(self, rows: Rows, record: Record, first_step: int) -> None:
        """Ray Train blocks, and in the main thread nobody would hear of SIGTERM."""
        failure: list[BaseException] = []

        def work() -> None:
            try:
                train(self.attempt, rows, record, first_step)
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        shown = record.round
        while thread.is_alive():
            thread.join(ATTENTION)
            self._check("training")
            shown = self._show_rounds(shown)
        if failure:
            raise failure[0]

    def _show_rounds(self, shown: int) -> int:
        record = Record(self.files)
        for row in record.history[shown:]:
            print(
                f"{row['updates']:6.0f} updates: temperatures {row['temperature_error']:.2f} %, "
                f"fusion gain {row['gain_error']:.2f} % off on held-out points",
                flush=True,
            )
        return len(record.history)

    def _last_metrics(self, evaluation: Evaluation, record: Record, step: int) -> None:
        row = {**record.history[-1], "step": step, "time": time.time()}
        scenario = evaluation.scenario
        if scenario.solved[0]:
            row["fusion_gain"] = float(scenario.fusion_power[0] / scenario.points[0, 0])
        self.files.write_metrics(row)

    def _get(self, reference: Any, activity: str) -> Any:
        """ray.get alone would not hear of SIGTERM."""
        while not ray.wait([reference], timeout=ATTENTION)[0]:
            self._check(activity)
        return ray.get(reference)

    def _check(self, activity: str) -> None:
        if self._terminated:
            raise Terminated(activity)
        if self.files.superseded():
            raise Superseded

    def _terminate(self, *_: object) -> None:
        self._terminated = True
