"""What needs JAX but no rank of its own: calibration, held-out figures, proposals; one task of Ray each."""

from typing import Any

import numpy as np
import ray

from stellar_optimization.learn.cost import Cost
from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.learn.evaluation import evaluate
from stellar_optimization.learn.propose import Proposal, propose
from stellar_optimization.learn.surrogate import Surrogate
from stellar_optimization.learn.train import Training, environment


def judged(training: Training, weights: list[np.ndarray]) -> tuple[bytes, dict[str, Any]]:
    """The calibrated surrogate as a file, and its figures on the held-out rows."""
    task = _judged.options(runtime_env={"env_vars": environment(gpu=False)})
    answer: tuple[bytes, dict[str, Any]] = ray.get(task.remote(training, weights))
    return answer


def proposed(
    surrogate: bytes, archive: Dataset, cold: np.ndarray, **options: Any
) -> list[Proposal]:
    """Starts for the search (see propose); archive: rows from which candidates are bred."""
    task = _proposed.options(runtime_env={"env_vars": environment(gpu=False)})
    answer: list[Proposal] = ray.get(task.remote(surrogate, archive, cold, **options))
    return answer


@ray.remote(num_cpus=1)
def _judged(training: Training, weights: list[np.ndarray]) -> tuple[bytes, dict[str, Any]]:
    train = training.parts["train"]
    plain = np.ones(len(train.metrics))
    surrogate = Surrogate(
        train.problem, train.metrics, train.modes, training.scaling, weights, plain
    ).calibrated(train, training.folds)
    return surrogate.to_bytes(), evaluate(surrogate, training.parts["held_out"])


@ray.remote(num_cpus=1)
def _proposed(
    content: bytes, archive: Dataset, cold: np.ndarray, weight: float, **options: Any
) -> list[Proposal]:
    surrogate = Surrogate.from_bytes(content)
    cost = Cost(surrogate.metrics, surrogate.modes, weight)
    solved = archive.part(archive.solved)
    # The best half: what is bred from bad designs is seldom good.
    order = np.argsort(cost(solved.values, solved.inputs), kind="stable")
    kept = solved.inputs[order[: max(1, len(order) // 2)]]
    return propose(surrogate, cost, kept, cold, **options)
