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
        scaled = self.scaling.inputs(inputs).astype(np.float32)
        found = [self._chunk(scaled[i : i + CHUNK]) for i in range(0, len(scaled), CHUNK)]
        means, spreads, logits = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
        variance = np.exp(spreads).mean(0) + means.var(0)
        solved = 1 / (1 + np.exp(-logits.astype(float)))
        return Prediction(means, self.widening * np.sqrt(variance), solved.mean(0))

    def _chunk(self, scaled: np.ndarray) -> list[np.ndarray]:
        """The last chunk is filled up, so that only one shape is ever compiled."""
        rows = len(scaled)
        filled = np.zeros((CHUNK, scaled.shape[1]), np.float32)
        filled[:rows] = scaled
        layers = list(zip(self.members[::2], self.members[1::2], strict=True))
        return [np.asarray(part, float)[:, :rows] for part in _ensemble(layers, filled)]

    def calibrated(self, validation: Dataset) -> "Surrogate":
        """With deviations so that ONE_SIGMA of the validation rows lie within one."""
        rows = validation.part(validation.solved)
        plain = replace(self, widening=np.ones(len(self.metrics)))
        predicted = plain.predict(rows.inputs)
        errors = abs(self.scaling.targets(rows.values) - predicted.mean) / predicted.deviation
        return replace(self, widening=np.quantile(errors, ONE_SIGMA, axis=0))

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


@partial(jax.jit)
def _ensemble(layers: list[Any], inputs: jax.Array) -> Any:
    return jax.vmap(network.outputs, in_axes=(0, None))(layers, jnp.asarray(inputs))
