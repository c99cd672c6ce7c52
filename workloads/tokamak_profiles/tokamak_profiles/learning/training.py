"""Training with Ray Train: each worker trains its share of the ensemble's members."""

import hashlib
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.callback import UserCallback
from ray.train.v2.jax import JaxTrainer

from tokamak_profiles.job.attempt import Attempt
from tokamak_profiles.job.parameters import Parameters
from tokamak_profiles.job.run_directory import RunDirectory
from tokamak_profiles.learning.compiled import keep_compiled
from tokamak_profiles.learning.errors import gain_error, spread, temperature_error
from tokamak_profiles.learning.evaluation import to_predict
from tokamak_profiles.learning.rows import Rows

ROUNDS = 20  # of updates; after each the members are stored and compared with held-out rows
NAME = "training"
MOST_FAILURES = 3  # of workers, within one attempt
# Ray Train hands reports on when it looks at its workers, by itself every 2 s: longer than a round takes.
LOOK_SECONDS = "0.1"
MOST_STARTS = 20  # of a minute each; Ray Train would wait for ever for cores that others hold


class Record:
    """The newest complete state of a training: which round, where its members are stored.

    `of` is `training_of` it: what another one left, in a run directory that is used again, does not count.
    """

    def __init__(self, files: RunDirectory, of: str) -> None:
        found = files.checkpoints(rf"{NAME}-{of}-(\d+)\.json")
        self._files = files
        content: dict[str, Any] = {"round": 0, "history": []}
        if found:
            # A successor's line counts, however far its predecessor went.
            content = json.loads(files.read(max(found, key=lambda path: found[path])))
        self.round: int = content["round"]
        self.history: list[dict[str, float]] = content["history"]
        self._folder: str = content.get("folder", "")

    def predictions(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Temperatures and fusion powers that the members predicted of `to_predict`, members first."""
        temperatures = [self._array(_prediction(index)) for index in range(count)]
        powers = [self._array(_power(index)) for index in range(count)]
        return np.stack(temperatures), np.stack(powers)

    def _array(self, name: str) -> np.ndarray:
        found: np.ndarray = np.load(io.BytesIO(self._files.read(f"{self._folder}/{name}")))
        return found

    def members(self, count: int) -> list[bytes]:
        """The stored members, for Learner.load; none before the first round."""
        if not self.round:
            return []
        return [self._files.read(f"{self._folder}/{_member(index)}") for index in range(count)]


class Recorder(UserCallback):
    """In the controller of Ray Train, after each round: one metrics row and one record."""

    def __init__(self, attempt: Attempt, rows: Rows, first_step: int) -> None:
        self._uri, self._attempt = attempt.directory, attempt.number
        self._members, self._held_out, self._first = (
            attempt.parameters.members,
            rows.held_out(),
            first_step,
        )
        self._of = training_of(rows, attempt.parameters)
        self._solved, self._unsolved = int(rows.solved.sum()), int((~rows.solved).sum())

    def after_report(
        self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None
    ) -> None:
        assert checkpoint is not None
        files = RunDirectory(self._uri, self._attempt)
        history = Record(files, self._of).history
        number = metrics[0]["round"]
        row = {
            "step": self._first + number,
            "time": time.time(),
            "updates": metrics[0]["updates"],
            "rows_solved": self._solved,
            "rows_unsolved": self._unsolved,
            **self._errors(checkpoint),
            "training_error": 100 * float(np.sqrt(np.mean([m["loss"] for m in metrics]))),
        }
        files.write_metrics(row)
        name = f"{NAME}-{self._of}"
        folder = f"checkpoints/{self._attempt}/{name}/{Path(checkpoint.path).name}"
        record = {"round": number, "folder": folder, "history": [*history, row]}
        files.write_checkpoint(f"{name}-{number:06d}.json", json.dumps(record).encode())

    def _errors(self, checkpoint: Checkpoint) -> dict[str, float]:
        rows = self._held_out
        with checkpoint.as_directory() as folder:
            predicted = np.stack(
                [np.load(Path(folder) / _prediction(index)) for index in range(self._members)]
            )
            powers = np.stack([np.load(Path(folder) / _power(i)) for i in range(self._members)])
        count = len(rows.points)  # they come first
        predicted, powers = predicted[:, :count], powers[:, :count]
        return {
            "temperature_error": temperature_error(predicted, rows),
            "gain_error": gain_error(powers, rows),
            "spread": spread(predicted),
        }


def train(attempt: Attempt, rows: Rows, resume: Record, first_step: int) -> None:
    """Train to the last round, from where `resume` is; metrics rows begin after `first_step`.

    Blocks until done; raises what Ray Train raises when workers fail too often.
    """
    files = RunDirectory(attempt.directory, attempt.number)
    given = attempt.parameters
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", LOOK_SECONDS)
    JaxTrainer(
        _train_members,
        train_loop_config={
            "training": rows.training(),
            "to_predict": to_predict(rows, given),
            "members": given.members,
            "hidden": given.hidden,
            "updates": updates_per_round(given.updates),
            "seed": given.seed,
            "round": resume.round,
            "stored": resume.members(given.members),
        },
        scaling_config=ScalingConfig(
            num_workers=min(attempt.workers, given.members), resources_per_worker={"CPU": 1}
        ),
        run_config=RunConfig(
            name=f"{NAME}-{training_of(rows, given)}",
            storage_path=f"{files.uri}/checkpoints/{attempt.number}",
            failure_config=FailureConfig(
                max_failures=MOST_FAILURES, controller_failure_limit=MOST_STARTS
            ),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
            callbacks=[Recorder(attempt, rows, first_step)],
        ),
    ).fit()


def training_of(rows: Rows, given: Parameters) -> str:
    """The name of a training: a digest of all that its result depends on, and of what is asked of it."""
    content = hashlib.sha256(
        repr((given.members, given.hidden, given.updates, given.seed)).encode()
    )
    for array in (rows.points, rows.gradients, rows.solved, to_predict(rows, given)):
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()[:12]


def updates_per_round(updates: int) -> int:
    return -(-updates // ROUNDS)


def _train_members(config: dict[str, Any]) -> None:
    """What each worker of Ray Train runs."""
    keep_compiled()
    from tokamak_profiles.learning.network import Learner, fusion_powers

    context = ray.train.get_context()
    mine = range(context.get_world_rank(), config["members"], context.get_world_size())
    first, stored = config["round"], dict(enumerate(config["stored"]))
    if checkpoint := ray.train.get_checkpoint():  # of this attempt, whose worker was lost
        with checkpoint.as_directory() as folder:
            first = json.loads((Path(folder) / "round.json").read_text())
            stored = {index: (Path(folder) / _member(index)).read_bytes() for index in mine}
    total = ROUNDS * config["updates"]
    learners = {
        index: Learner(config["training"], config["hidden"], total, (config["seed"], index))
        for index in mine
    }
    for index, learner in learners.items():
        if index in stored:
            learner.load(stored[index])
    points = config["to_predict"]
    for number in range(first + 1, ROUNDS + 1):
        losses = [learner.train(config["updates"]) for learner in learners.values()]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for index, learner in learners.items():
                predicted = learner.temperature(points)
                (folder / _member(index)).write_bytes(learner.to_bytes())
                np.save(folder / _prediction(index), predicted)
                np.save(folder / _power(index), fusion_powers(points, predicted))
            if context.get_world_rank() == 0:
                (folder / "round.json").write_text(json.dumps(number))
            ray.train.report(
                {
                    "round": number,
                    "updates": number * config["updates"],
                    "loss": float(np.mean(losses)),
                },
                checkpoint=Checkpoint.from_directory(name),
            )


def _member(index: int) -> str:
    return f"member-{index}.npz"


def _prediction(index: int) -> str:
    return f"temperature-{index}.npy"


def _power(index: int) -> str:
    return f"power-{index}.npy"
