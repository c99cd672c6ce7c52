"""Training on the ranks of Ray Train: each trains its share of the ensemble's members.

Members are independent: each has its own initial weights and order of rows. So ranks have nothing to
exchange, and a member comes out the same whichever rank trains it and however many there are.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray.train

from stellar_optimization.learn import network
from stellar_optimization.run.run_directory import RunDirectory

ROUND = 10  # epochs between looks at the loss
SAVE_SECONDS = 10.0  # at least, between checkpoints of a member; when one is made changes nothing
STARTED = {"started": 1.0}  # the first note of a rank; later ones are of a member


@dataclass(frozen=True)
class Plan:
    """What the ranks need besides the rows. name: of the ensemble's checkpoints, different for other rows."""

    name: str
    directory: str
    attempt: int
    members: int
    patience: int
    shape: network.Shape


def train_share(config: dict[str, Any]) -> None:
    """The loop that Ray Train starts on each rank; config: plan, data (reference), progress (queue)."""
    config["progress"].put(STARTED)
    plan: Plan = config["plan"]
    data: dict[str, Any] = ray.get(config["data"])
    context = ray.train.get_context()
    share = range(context.get_world_rank(), plan.members, context.get_world_size())
    files = RunDirectory(plan.directory, plan.attempt)
    training = [_train(files, plan, data, member) for member in share]
    while training:  # in turns, so that all members' losses are seen to fall
        notes = [next(member, None) for member in training]
        training = [m for m, note in zip(training, notes, strict=True) if note is not None]
        for note in notes:
            if note is not None:
                config["progress"].put(note)


def _train(
    files: RunDirectory, plan: Plan, data: dict[str, Any], member: int
) -> Iterator[dict[str, float]]:
    """Train a member to its end, from its newest checkpoint; yields its loss after each round."""
    state = network.state_of(plan.shape, member)
    if saved := newest(files, plan.name, member):
        state = network.from_arrays(state, saved)
    saved_at = -SAVE_SECONDS  # so that the first round, which compiles, is not lost
    while not finished(state, plan):
        left = plan.shape.epochs - int(state["epoch"])
        state = network.advance(state, data, plan.shape, min(ROUND, left))
        if finished(state, plan) or time.monotonic() - saved_at > SAVE_SECONDS:
            _save(files, plan.name, member, state)
            saved_at = time.monotonic()
        best, epoch = float(state["best_loss"]), int(state["epoch"])
        yield {"member": member, "epoch": epoch, "best_loss": best}


def finished(state: dict[str, Any], plan: Plan) -> bool:
    """All epochs done, or no better for as many as the plan has patience for."""
    epoch = int(state["epoch"])
    return epoch >= plan.shape.epochs or epoch - int(state["best_epoch"]) >= plan.patience


def _folder(name: str, member: int) -> str:
    return f"{name}-{member:02d}"


def _save(files: RunDirectory, name: str, member: int, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, *network.to_arrays(state))
    file = f"{files.attempt}/{_folder(name, member)}/{int(state['epoch']):06d}.npz"
    files.write(f"checkpoints/{file}", buffer.getvalue())


def newest(files: RunDirectory, name: str, member: int) -> list[np.ndarray] | None:
    """A member's newest checkpoint, of this attempt or one before; None without any."""
    found = []
    for attempt in files.names("checkpoints"):
        if attempt.isdigit() and int(attempt) <= files.attempt:
            folder = f"checkpoints/{attempt}/{_folder(name, member)}"
            epochs = [e for e in files.names(folder) if e.endswith(".npz") and e[0] != "."]
            found += [(epoch, f"{folder}/{epoch}") for epoch in epochs]
    if not found:
        return None
    with np.load(io.BytesIO(files.read(max(found)[1]))) as stored:
        return [stored[f"arr_{i}"] for i in range(len(stored.files))]
