"""One member of the ensemble: its network, its loss and its training, in JAX.

The network has two outputs per metric, mean and logarithm of the variance (a Gaussian's negative logarithm
of the likelihood is its loss), and one for whether there is an equilibrium at all. Where exact Jacobians
are known the slope of the means is fitted too, along a random direction each time: one known Jacobian says
as much as dozens of rows (Sobolev training, Czarnecki et al. 2017, arXiv:1706.04859).
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stellar_optimization.learn.sections import PLANES, section_features

LAYERS = 3
SLOPE_WEIGHT, SOLVED_WEIGHT = 1.0, 0.3
SLOPE_BATCH = 64
RATE, DECAY = 2e-3, 1e-3
LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE = -9.0, 3.0
FLOAT = jnp.float32

Frozen = dict[str, jax.Array]
Parameters = list[tuple[jax.Array, jax.Array]]


@dataclass(frozen=True)
class Shape:
    """What fixes the compiled program: sizes, batch, epochs of the schedule."""

    features: int
    modes: int
    metrics: int
    width: int
    batch: int
    epochs: int
    folds: int


def matrix_type() -> Any:
    """bfloat16 where tensor cores take it; a CPU would only emulate it."""
    return jnp.bfloat16 if jax.default_backend() == "gpu" else FLOAT


def initial(shape: Shape, member: int) -> Parameters:
    first = shape.features + 6 * PLANES
    sizes = [first, *[shape.width] * LAYERS, 2 * shape.metrics + 1]
    keys = jax.random.split(jax.random.key(member), len(sizes) - 1)
    layers = []
    for key, before, after in zip(keys, sizes[:-1], sizes[1:], strict=True):
        weights = jax.random.normal(key, (before, after), FLOAT) / math.sqrt(before)
        layers.append((weights, jnp.zeros(after, FLOAT)))
    weights, bias = layers[-1]
    return [*layers[:-1], (0.1 * weights, bias)]


def outputs(
    parameters: Parameters, frozen: Frozen, inputs: jax.Array, modes: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Means and log variances (rows, metrics) and the logit of an equilibrium (rows,).

    frozen: of Scaling; inputs: (rows, features) in physical units.
    """
    kind = matrix_type()
    sections = section_features(inputs, modes, jnp)
    plain = (inputs - frozen["input_mean"]) / frozen["input_deviation"]
    shaped = (sections - frozen["section_mean"]) / frozen["section_deviation"]
    hidden = jnp.concatenate([plain, shaped], axis=1)
    for index, (weights, bias) in enumerate(parameters):
        product = jnp.dot(hidden.astype(kind), weights.astype(kind), preferred_element_type=FLOAT)
        hidden = product + bias
        if index < len(parameters) - 1:
            hidden = jax.nn.silu(hidden)
    metrics = (hidden.shape[-1] - 1) // 2
    spread = jnp.clip(hidden[:, metrics : 2 * metrics], LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE)
    return hidden[:, :metrics], spread, hidden[:, -1]


def values_loss(
    parameters: Parameters,
    frozen: Frozen,
    rows: dict[str, jax.Array],
    modes: int,
    weight: jax.Array,
) -> jax.Array:
    """Mean over rows by `weight` of both likelihoods; unsolved rows count only for the second."""
    mean, spread, logit = outputs(parameters, frozen, rows["inputs"], modes)
    error = (rows["targets"] - mean) ** 2
    gaussian = 0.5 * jnp.mean(spread + error * jnp.exp(-spread), axis=1)
    counted = weight * rows["solved"]
    fitted = jnp.sum(gaussian * counted) / jnp.maximum(jnp.sum(counted), 1.0)
    entropy = weight * (jax.nn.softplus(logit) - rows["solved"] * logit)
    return fitted + SOLVED_WEIGHT * jnp.sum(entropy) / jnp.maximum(jnp.sum(weight), 1.0)


def slopes_loss(
    parameters: Parameters,
    frozen: Frozen,
    rows: dict[str, jax.Array],
    modes: int,
    weight: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """Error of the means' slope along one random direction per row, in the inputs' deviations."""
    inputs, slopes = rows["inputs"], rows["slopes"]
    direction = jax.random.normal(key, inputs.shape, FLOAT)
    along = direction * frozen["input_deviation"]
    _, slope = jax.jvp(lambda x: outputs(parameters, frozen, x, modes)[0], (inputs,), (along,))
    known = jnp.einsum("rmf,rf->rm", slopes, direction)
    error = jnp.mean((slope - known) ** 2, axis=1)
    return jnp.sum(weight * error) / jnp.maximum(jnp.sum(weight), 1.0)


def state_of(shape: Shape, member: int) -> dict[str, Any]:
    """What a member is before its first epoch."""
    parameters = initial(shape, member)
    nothing = jax.tree.map(jnp.zeros_like, parameters)
    return {
        "parameters": parameters,
        "momentum": nothing,
        "square": nothing,
        "best": parameters,
        "best_loss": jnp.asarray(jnp.inf, FLOAT),
        "best_epoch": jnp.asarray(0, jnp.int32),
        "epoch": jnp.asarray(0, jnp.int32),
        "member": jnp.asarray(member, jnp.int32),
    }


@partial(jax.jit, static_argnames=("shape", "count"))
def advance(
    state: dict[str, Any], data: dict[str, Any], shape: Shape, count: int
) -> dict[str, Any]:
    """`count` epochs more; data: dicts `train`, `slopes` and `frozen`."""
    return jax.lax.fori_loop(0, count, lambda _, s: _epoch(s, data, shape), state)


def _epoch(state: dict[str, Any], data: dict[str, Any], shape: Shape) -> dict[str, Any]:
    rows = len(data["train"]["inputs"])
    own = (
        state["member"] % shape.folds
    )  # the fold by which it stops, and from which it does not learn
    batch = min(shape.batch, rows)
    steps = rows // batch
    key = jax.random.fold_in(jax.random.key(state["member"] + 1), state["epoch"])
    order = jax.random.permutation(key, rows)[: steps * batch].reshape(steps, batch)

    def step(number: jax.Array, carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        taken = jax.tree.map(lambda column: column[order[number]], data["train"])
        gradient = jax.grad(_loss)(
            carry[0], taken, data, shape.modes, own, jax.random.fold_in(key, number)
        )
        return _adam(carry, gradient, state["epoch"] * steps + number, shape.epochs * steps)

    carry = (state["parameters"], state["momentum"], state["square"])
    parameters, momentum, square = jax.lax.fori_loop(0, steps, step, carry)
    aside = (data["train"]["fold"] == own).astype(FLOAT)
    loss = values_loss(parameters, data["frozen"], data["train"], shape.modes, aside)
    better = loss < state["best_loss"]
    epoch = state["epoch"] + 1
    return {
        **state,
        "parameters": parameters,
        "momentum": momentum,
        "square": square,
        "best": jax.tree.map(partial(jnp.where, better), parameters, state["best"]),
        "best_loss": jnp.where(better, loss, state["best_loss"]),
        "best_epoch": jnp.where(better, epoch, state["best_epoch"]),
        "epoch": epoch,
    }


def _loss(
    parameters: Parameters,
    rows: dict[str, jax.Array],
    data: dict[str, Any],
    modes: int,
    own: jax.Array,
    key: jax.Array,
) -> jax.Array:
    weight = (rows["fold"] != own).astype(FLOAT)
    loss, slopes = values_loss(parameters, data["frozen"], rows, modes, weight), data["slopes"]
    known = len(slopes["inputs"])
    if known == 0:
        return loss
    which, along = jax.random.split(key)
    taken = jax.random.randint(which, (min(SLOPE_BATCH, known),), 0, known)
    some = {name: slopes[name][taken] for name in ("inputs", "slopes")}
    weight = (slopes["fold"][taken] != own).astype(FLOAT)
    fitted = slopes_loss(parameters, data["frozen"], some, modes, weight, along)
    return loss + SLOPE_WEIGHT * fitted / slopes["size"]


def _adam(
    carry: tuple[Any, Any, Any], gradient: Any, number: jax.Array, steps: int
) -> tuple[Any, Any, Any]:
    """One step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), its rate a falling cosine."""
    parameters, momentum, square = carry
    momentum = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, momentum, gradient)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, gradient)
    time = (number + 1).astype(FLOAT)
    rate = RATE * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(time / steps, 1.0)))
    first, second = 1 - 0.9**time, 1 - 0.999**time

    def moved(p: jax.Array, m: jax.Array, s: jax.Array) -> jax.Array:
        return p - rate * (m / first / (jnp.sqrt(s / second) + 1e-8) + DECAY * p)

    return jax.tree.map(moved, parameters, momentum, square), momentum, square


def to_arrays(state: dict[str, Any]) -> list[np.ndarray]:
    """All numbers of a state or of parameters, in a fixed order, without losing a bit."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def from_arrays(like: dict[str, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    """The state whose numbers `to_arrays` gave; `like` has its structure."""
    state: dict[str, Any] = jax.tree.unflatten(
        jax.tree.structure(like), [jnp.asarray(a) for a in arrays]
    )
    return state
