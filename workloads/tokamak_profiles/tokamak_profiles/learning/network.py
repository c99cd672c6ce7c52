"""The network: an operating point in, the temperature gradients of both species out."""

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tokamak_profiles.job.parameters import domain
from tokamak_profiles.learning.rows import Rows
from tokamak_profiles.physics.grid import INTERVALS, TO_NODES
from tokamak_profiles.physics.machine import OperatingPoint, temperatures
from tokamak_profiles.physics.solver import fusion_power

OUTPUTS = 2 * INTERVALS
FIRST_RATE, LAST_RATE = 3e-3, 3e-5  # of Adam, along half a cosine

Layers = list[tuple[jax.Array, jax.Array]]


class Learner:
    """One member of the ensemble: weights and optimiser, and what it needs to make them better.

    Trained on profiles (ln T on the nodes), full batches. The same seed and rows give the same
    weights on the same kind of processor, however often it is stored and read back. `seed` is the
    job's and the member's number; `updates` are those of the whole training.
    """

    def __init__(self, rows: Rows, hidden: int, updates: int, seed: tuple[int, int]) -> None:
        self._points = jnp.asarray(rows.points)
        self._logarithm = jnp.log(jnp.asarray(rows.temperature))
        self._mean = jnp.asarray(rows.gradients.mean(axis=0))
        self._optimiser = optax.adam(
            optax.cosine_decay_schedule(FIRST_RATE, updates, LAST_RATE / FIRST_RATE)
        )
        self.layers = _initial_layers(jax.random.fold_in(jax.random.key(seed[0]), seed[1]), hidden)
        self._state = self._optimiser.init(self.layers)
        self._advance = jax.jit(self._updates, static_argnums=2)
        self._temperature = jax.jit(lambda layers, points: jnp.exp(self._predict(layers, points)))

    def train(self, updates: int) -> float:
        """Make so many updates; returns the loss before the last: the mean square of the error of
        ln T."""
        self.layers, self._state, loss = self._advance(self.layers, self._state, updates)
        return float(loss)

    def temperature(self, points: np.ndarray) -> np.ndarray:
        """keV on the nodes, (rows, 2, nodes), of `points`, (rows, 8)."""
        return np.asarray(self._temperature(self.layers, jnp.asarray(points)))

    def to_bytes(self) -> bytes:
        """Weights and optimiser, for `load`."""
        buffer = io.BytesIO()
        np.savez(buffer, *jax.tree.leaves((self.layers, self._state)))
        return buffer.getvalue()

    def load(self, content: bytes) -> None:
        """Go on from where another learner of the same shape was stored."""
        with np.load(io.BytesIO(content)) as arrays:
            leaves = [jnp.asarray(arrays[name]) for name in arrays.files]
        structure = jax.tree.structure((self.layers, self._state))
        self.layers, self._state = jax.tree.unflatten(structure, leaves)

    def _updates(self, layers: Layers, state: Any, count: int) -> tuple[Layers, Any, jax.Array]:
        def update(carry: tuple[Layers, Any], _: None) -> tuple[tuple[Layers, Any], jax.Array]:
            loss, slope = jax.value_and_grad(self._loss)(carry[0])
            change, after = self._optimiser.update(slope, carry[1])
            return (optax.apply_updates(carry[0], change), after), loss

        (layers, state), losses = jax.lax.scan(update, (layers, state), None, length=count)
        return layers, state, losses[-1]

    def _loss(self, layers: Layers) -> jax.Array:
        return jnp.mean((self._predict(layers, self._points) - self._logarithm) ** 2)

    def _predict(self, layers: Layers, points: jax.Array) -> jax.Array:
        """ln T on the nodes."""

        def profile(point: jax.Array) -> jax.Array:
            gradients = self._mean + _forward(layers, point).reshape(2, INTERVALS)
            return jnp.log(temperatures(OperatingPoint(*point), gradients, TO_NODES))

        return jax.vmap(profile)(points)


def fusion_powers(points: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """MW inside the boundary, (rows,), of points (rows, 8) at temperatures (rows, 2, nodes)."""
    return np.asarray(_fusion_powers(jnp.asarray(points), jnp.asarray(temperature)))


@jax.jit
@jax.vmap
def _fusion_powers(point: jax.Array, temperature: jax.Array) -> jax.Array:
    return fusion_power(OperatingPoint(*point), temperature)


def _initial_layers(key: jax.Array, hidden: int) -> Layers:
    """Two hidden layers; variance-preserving normal weights, a last layer near zero."""
    sizes = [(len(domain()), hidden, 1.0), (hidden, hidden, 1.0), (hidden, OUTPUTS, 0.1)]
    return [
        (
            scale * jax.random.normal(k, (inputs, outputs)) / jnp.sqrt(inputs),
            jnp.zeros(outputs),
        )
        for k, (inputs, outputs, scale) in zip(jax.random.split(key, 3), sizes, strict=True)
    ]


def _forward(layers: Layers, point: jax.Array) -> jax.Array:
    """A point's 36 outputs; inputs are scaled to -1..1 over the domain."""
    low, high = jnp.asarray(domain(), dtype=point.dtype).T
    value = 2 * (point - low) / (high - low) - 1
    for weight, bias in layers[:-1]:
        value = jnp.tanh(value @ weight + bias)
    weight, bias = layers[-1]
    return value @ weight + bias
