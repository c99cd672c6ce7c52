"""The trained ensemble: what it predicts, how sure it is, and how it is kept."""

import io
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stellar_optimization.learn import network
from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.learn.scaling import Scaling

CHUNK = 8192  # boundaries at a time, so that a million need no more memory than these
ONE_SIGMA = 0.6827


@dataclass(frozen=True)
class Prediction:
    """Of boundaries, in a network's scaled targets (see Scaling).

    members: (members, rows, metrics), each member's mean; deviation: (rows, metrics), of the ensemble as a
    mixture, calibrated; solved: (rows,) probability of an equilibrium.
    """

    members: np.ndarray
    deviation: np.ndarray
    solved: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        middle: np.ndarray = self.members.mean(0)
        return middle


@dataclass(frozen=True)
class Surrogate:
    """members: weights and biases stacked over members; widening: (metrics,) factors of the deviation."""

    problem: str
    metrics: list[str]
    modes: int
    scaling: Scaling
    members: list[np.ndarray]
    widening: np.ndarray

    def predict(self, inputs: np.ndarray) -> Prediction:
        """Of inputs (rows, features) in physical units."""
        means, spreads, logits = self._all(inputs)
        variance = np.exp(spreads).mean(0) + means.var(0)
        solved = 1 / (1 + np.exp(-logits))
        return Prediction(means, self.widening * np.sqrt(variance), solved.mean(0))

    def _all(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means, log variances (members, rows, metrics) and logits (members, rows)."""
        plain = inputs.astype(np.float32)
        found = [self._chunk(plain[i : i + CHUNK]) for i in range(0, len(plain), CHUNK)]
        means, spreads, logits = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
        return means, spreads, logits

    def _chunk(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The last chunk is filled up, so that only one shape is ever compiled."""
        rows = len(inputs)
        filled = np.zeros((CHUNK, inputs.shape[1]), np.float32)
        filled[:rows] = inputs
        layers = list(zip(self.members[::2], self.members[1::2], strict=True))
        return [
            np.asarray(part, float)[:, :rows]
            for part in _ensemble(layers, self.scaling.frozen(), filled, self.modes)
        ]

    def calibrated(self, train: Dataset, folds: np.ndarray) -> "Surrogate":
        """With deviations such that ONE_SIGMA of the rows lie within one of a member that never saw them.

        folds: (rows,), as `split` makes them; a member has learnt from all folds but its own.
        """
        rows, count = train.part(train.solved), int(folds.max()) + 1
        own = folds[train.solved]
        means, spreads, _ = self._all(rows.inputs)
        errors = abs(self.scaling.targets(rows.values) - means) / np.exp(spreads / 2)
        unseen = [errors[member][own == member % count] for member in range(len(errors))]
        return replace(self, widening=np.quantile(np.concatenate(unseen), ONE_SIGMA, axis=0))

    def to_bytes(self) -> bytes:
        """An .npz file."""
        about = {"problem": self.problem, "metrics": self.metrics, "modes": self.modes}
        arrays = {f"member_{i:02d}": array for i, array in enumerate(self.members)}
        buffer = io.BytesIO()
        np.savez(
            buffer, about=json.dumps(about), widening=self.widening, **vars(self.scaling), **arrays
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Surrogate":
        with np.load(io.BytesIO(content)) as stored:
            data: dict[str, Any] = dict(stored)
        about = json.loads(str(data.pop("about")))
        widening = data.pop("widening")
        names = sorted(name for name in data if name.startswith("member_"))
        members = [data.pop(name) for name in names]
        return cls(**about, scaling=Scaling(**data), members=members, widening=widening)


@partial(jax.jit, static_argnames="modes")
def _ensemble(layers: list[Any], frozen: dict[str, Any], inputs: jax.Array, modes: int) -> Any:
    return jax.vmap(partial(network.outputs, modes=modes), in_axes=(0, None, None))(
        layers, frozen, jnp.asarray(inputs)
    )
