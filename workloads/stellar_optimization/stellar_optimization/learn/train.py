"""The ensemble's training as the driver sees it: rows in, surrogate out, in between Ray Train."""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow.fs
import ray
import ray.train
from ray.train.v2.jax import JaxConfig, JaxTrainer
from ray.util.queue import Empty, Queue

from stellar_optimization.learn import network
from stellar_optimization.learn.dataset import HELD_OUT, Dataset, split
from stellar_optimization.learn.members import STARTED, Plan, finished, newest, train_share
from stellar_optimization.learn.scaling import Scaling
from stellar_optimization.run.run_directory import RunDirectory

ATTENTION = 0.5  # seconds until a request to end is noticed
MOST_FAILURES = 20  # of ranks that may die before the attempt does
QUIET_SECONDS = 60.0  # of waiting for the ranks to start until the log says so, and again
START_SECONDS = 1200.0  # of waiting until the attempt ends: Ray itself would wait for ever
WIDTH, BATCH, PATIENCE = 192, 64, 60
FOLDS = 5
# One thread and one order of additions: the same numbers from run to run.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


@dataclass(frozen=True)
class Training:
    """parts: `train` and `held_out`; folds: of the rows of `train`; scaling and data: what the network
    sees of them; digest: of all of it."""

    parts: dict[str, Dataset]
    folds: np.ndarray
    scaling: Scaling
    data: dict[str, dict[str, np.ndarray]]
    digest: str

    @property
    def fold_count(self) -> int:
        return int(self.folds.max()) + 1


def prepare(dataset: Dataset, members: int) -> Training:
    """Split by lineage and scaled by the rows that are learnt from alone."""
    folds = split(dataset.lineage, min(FOLDS, members))
    parts = {"train": dataset.part(folds >= 0), "held_out": dataset.part(folds == HELD_OUT)}
    folds = folds[folds >= 0]
    train = parts["train"]
    scaling = Scaling.of(train)
    slopes = scaling.slopes(train.slopes, train.values[train.slope_rows])
    size = np.mean(np.sum(slopes**2, axis=2)) if len(slopes) else 1.0
    data = {
        "train": {**_columns(train, scaling), "fold": folds},
        "slopes": {
            "inputs": train.inputs[train.slope_rows].astype(np.float32),
            "slopes": slopes.astype(np.float32),
            "size": np.float32(size),
            "fold": folds[train.slope_rows],
        },
        "frozen": scaling.frozen(),
    }
    digest = hashlib.sha256()
    for columns in data.values():
        for column in columns.values():
            digest.update(np.ascontiguousarray(column).tobytes())
    return Training(parts, folds, scaling, data, digest.hexdigest()[:12])


def _columns(rows: Dataset, scaling: Scaling) -> dict[str, np.ndarray]:
    return {
        "inputs": rows.inputs.astype(np.float32),
        "targets": np.nan_to_num(scaling.targets(rows.values)).astype(np.float32),
        "solved": rows.solved.astype(np.float32),
    }


def graphics(workers: int) -> bool:
    """Whether each worker can have a GPU of its own."""
    return bool(ray.cluster_resources().get("GPU", 0) >= workers)


def environment(*, gpu: bool) -> dict[str, str]:
    """Variables of a process that is going to import JAX."""
    return {} if gpu else ONE_THREAD


def fit(
    training: Training,
    files: RunDirectory,
    members: int,
    epochs: int,
    workers: int,
    watch: Callable[[list[dict[str, float]]], None],
) -> list[np.ndarray]:
    """Train the members; returns their weights and biases, stacked over members.

    `watch` gets the newest losses twice a second, and raises to end the training. What ranks had done is
    taken up again by a later call with the same rows.
    """
    train = training.data["train"]
    features, metrics = train["inputs"].shape[1], train["targets"].shape[1]
    modes = training.parts["train"].modes
    shape = network.Shape(features, modes, metrics, WIDTH, BATCH, epochs, training.fold_count)
    name = f"surrogate-{training.digest}-{epochs}"
    plan = Plan(name, files.uri, files.attempt, members, PATIENCE, shape)
    progress = Queue(actor_options={"num_cpus": 0})
    gpu = graphics(workers)
    trainer = JaxTrainer(
        train_share,
        train_loop_config={"plan": plan, "data": ray.put(training.data), "progress": progress},
        jax_config=JaxConfig(use_gpu=False),  # members exchange nothing: no JAX cluster is needed
        scaling_config=ray.train.ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=ray.train.RunConfig(
            name=f"{name}-{files.attempt}",
            storage_path=files.path("checkpoints/ray-train"),
            storage_filesystem=pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(files.filesystem)),
            failure_config=ray.train.FailureConfig(
                max_failures=MOST_FAILURES, controller_failure_limit=MOST_FAILURES
            ),
            worker_runtime_env={"env_vars": environment(gpu=gpu)},
        ),
    )
    _run(trainer, progress, watch)
    return ray.get(_collect.options(runtime_env={"env_vars": ONE_THREAD}).remote(plan))


class NotStarted(RuntimeError):
    """No rank of the training began to run."""


def _run(
    trainer: JaxTrainer, progress: Queue, watch: Callable[[list[dict[str, float]]], None]
) -> None:
    """fit() on a thread of its own: the main one hears of SIGTERM only between short waits."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            trainer.fit()
        except BaseException as error:  # handed to the main thread
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    began = said = time.monotonic()
    started = False
    while thread.is_alive():
        thread.join(ATTENTION)
        notes = _drained(progress)
        started = started or bool(notes)
        watch([note for note in notes if note != STARTED])
        now = time.monotonic()
        if not started and now - said > QUIET_SECONDS:
            said = now
            print(f"{now - began:.0f} s: {_waiting()}", flush=True)
        if not started and now - began > START_SECONDS:
            raise NotStarted(f"nothing was trained in {now - began:.0f} s; {_waiting()}")
    if errors:
        raise errors[0]


def _waiting() -> str:
    """What the start of the ranks waits for."""
    groups = ray.util.placement_group_table().values()
    pending = sum(group["state"] == "PENDING" for group in groups)
    reason = "no cores are free for them" if pending else "they are slow to start"
    return f"the training's processes do not run yet: {reason}"


def _drained(progress: Queue) -> list[dict[str, float]]:
    notes = []
    try:
        while True:
            notes.append(progress.get_nowait())
    except Empty:
        return notes


@ray.remote(num_cpus=0)
def _collect(plan: Plan) -> list[np.ndarray]:
    """Best weights of all members, read where a JAX may be imported: not in the driver."""
    files = RunDirectory(plan.directory, plan.attempt)
    best = []
    for member in range(plan.members):
        state = network.from_arrays(
            network.state_of(plan.shape, member), newest(files, plan.name, member) or []
        )
        if not finished(state, plan):
            raise RuntimeError(f"member {member} ended before its training did")
        best.append(network.to_arrays(state["best"]))
    return [np.stack(arrays) for arrays in zip(*best, strict=True)]
