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
from tokamak_profiles.learning.evaluation import Evaluation, evaluate, to_solve
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
        given = attempt.parameters
        # The last batch is what is shown, and not learnt from.
        self._asked = [*batches(given.rows, given.seed), to_solve(given)]
        self._terminated = False

    def run(self) -> tuple[Rows, Record, Evaluation]:
        """Raises Superseded or Terminated when told to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        rows, shown = self._solved_rows()
        first_step = len(self._asked)
        record = Record(self.files)
        if record.round:
            print(f"goes on after {record.round} of {ROUNDS} rounds of training", flush=True)
        if record.round < ROUNDS:
            self._train(rows, record, first_step)
            record = Record(self.files)
        given = self.attempt.parameters
        evaluation = evaluate(rows, shown, *record.predictions(given.members), given)
        self._last_metrics(evaluation, record, first_step + ROUNDS + 1)
        return rows, record, evaluation

    def _solved_rows(self) -> tuple[Rows, Rows]:
        """All operating points and what is shown, solved; what an earlier attempt solved is read."""
        found = {
            number: Rows.from_bytes(self.files.read(path))
            for path, (_, number) in self.files.checkpoints(BATCH_FILE).items()
        }
        if found:
            print(f"{len(found)} of {len(self._asked)} batches were solved before", flush=True)
        else:
            print(
                "solving; the first job on a machine compiles for a quarter of a minute", flush=True
            )
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
                self._report_rows(found)
        shown = found.pop(len(self._asked) - 1)
        rows = Rows.joined([found[number] for number in sorted(found)])
        if (unsolved := float((~rows.solved).mean())) > MOST_UNSOLVED:
            raise RuntimeError(f"{unsolved:.0%} of the operating points have no solution")
        return rows, shown

    def _report_rows(self, found: dict[int, Rows]) -> None:
        learnt = range(len(self._asked) - 1)
        parts = [part.solved for number, part in found.items() if number in learnt]
        solved = np.concatenate([np.zeros(0, bool), *parts])
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

    def _check(self, activity: str) -> None:
        if self._terminated:
            raise Terminated(activity)
        if self.files.superseded():
            raise Superseded

    def _terminate(self, *_: object) -> None:
        self._terminated = True
