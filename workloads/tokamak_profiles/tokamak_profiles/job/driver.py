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
from tokamak_profiles.learning.training import ROUNDS, Record, train, training_of

ATTENTION = 0.5  # seconds until SIGTERM and a later attempt are noticed
KEPT = (r"rows-(\d+)\.npz", r"shown-(\d+)\.npz")
SHOWN = "shown-000000.npz"
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
        self._asked = {
            f"rows-{number:06d}.npz": points
            for number, points in enumerate(batches(given.rows, given.seed))
        }
        self._asked[SHOWN] = to_solve(given)  # what is shown, and not learnt from
        self._of = ""
        self._terminated = False

    def run(self) -> tuple[Rows, Record, Evaluation]:
        """Raises Superseded or Terminated when told to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        rows, shown = self._solved_rows()
        first_step = len(self._asked)
        self._of = training_of(rows, self.attempt.parameters)
        record = Record(self.files, self._of)
        if record.round:
            print(f"goes on after {record.round} of {ROUNDS} rounds of training", flush=True)
        if record.round < ROUNDS:
            self._train(rows, record, first_step)
            record = Record(self.files, self._of)
        self._check("evaluating")
        given = self.attempt.parameters
        temperature, power = record.predictions(given.members)
        evaluation = evaluate(rows, shown, temperature, power, given)
        self._last_metrics(evaluation, record, first_step + ROUNDS + 1)
        self._check("drawing")
        return rows, record, evaluation

    def _solved_rows(self) -> tuple[Rows, Rows]:
        """All operating points and what is shown, solved; what an earlier attempt solved is read."""
        found = self._kept()
        if found:
            print(f"{len(found)} of {len(self._asked)} batches were solved before", flush=True)
        else:
            print(
                "solving; the first job on a machine compiles for a quarter of a minute", flush=True
            )
        waiting = [name for name in self._asked if name not in found]
        running: dict[Any, str] = {}
        while waiting or running:
            while waiting and len(running) < self.attempt.workers:
                name = waiting.pop(0)
                running[solve_batch.remote(self._asked[name])] = name
            done, _ = ray.wait(list(running), num_returns=1, timeout=ATTENTION)
            self._check("solving")
            for reference in done:
                name = running.pop(reference)
                found[name] = ray.get(reference)
                self.files.write_checkpoint(name, found[name].to_bytes())
                self._report_rows(found)
        shown = found.pop(SHOWN)
        rows = Rows.joined([found[name] for name in sorted(found)])
        if (unsolved := float((~rows.solved).mean())) > MOST_UNSOLVED:
            raise RuntimeError(f"{unsolved:.0%} of the operating points have no solution")
        return rows, shown

    def _kept(self) -> dict[str, Rows]:
        """Batches that an earlier attempt solved, by name; not those of other parameters."""
        found = {}
        kept = {
            path: of for pattern in KEPT for path, of in self.files.checkpoints(pattern).items()
        }
        for path in sorted(kept, key=lambda path: kept[path]):  # of two copies the newest attempt's
            name = path.rsplit("/", 1)[-1]
            rows = Rows.from_bytes(self.files.read(path))
            if np.array_equal(rows.points, self._asked.get(name)):
                found[name] = rows
        return found

    def _report_rows(self, found: dict[str, Rows]) -> None:
        parts = [part.solved for name, part in found.items() if name != SHOWN]
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
        record = Record(self.files, self._of)
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
