"""Flux matching: temperature gradients at which turbulence carries exactly the heat that is put in.

As in TGYRO (Candy et al., Phys. Plasmas 16 (2009) 060704) the unknowns are the logarithmic gradients
on the faces; a profile is their integral from the boundary inwards. Newton's method alone gets stuck
where turbulence sets in, so it follows the plasma's own way to its steady state: implicit time
steps that grow as the balance improves (pseudo-transient continuation; Kelley and Keyes, SIAM J.
Numer. Anal. 35 (1998) 508).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from tokamak_profiles.physics.grid import INTERVALS, NODES, TO_FACES, TO_NODES
from tokamak_profiles.physics.heat_sources import KEV, fusion_power_density, heat_sources
from tokamak_profiles.physics.machine import (
    CELL_VOLUMES,
    SURFACES,
    OperatingPoint,
    electron_density,
    fuel_fraction,
    temperatures,
)
from tokamak_profiles.physics.turbulence import heat_fluxes

START = 1.5  # -a d(ln T)/dr of the first guess
TOLERANCE = 1e-3  # largest mismatch of a solution, as a part of the heating power
MOST_STEPS = 100
FIRST_TIME_STEP = 0.1  # s
SHORTEST_TIME_STEP, LONGEST_TIME_STEP = 0.1, 1e4  # s
FASTER, SLOWER = 1.3, 0.6  # factors of the time step after a better and a worse balance
LONGEST_CHANGE = 0.15  # of a gradient in one step
UNKNOWNS = 2 * INTERVALS


class Solution(NamedTuple):
    """A steady state; with a leading axis for a batch."""

    gradients: jax.Array  # -a d(ln T)/dr of ions and electrons on the faces, (2, faces)
    temperature: jax.Array  # keV on the nodes, (2, nodes)
    mismatch: jax.Array  # largest |heat carried - heat put in| / heating power
    fusion_power: jax.Array  # MW inside the boundary
    steps: jax.Array


class _Balance(NamedTuple):
    mismatch: jax.Array  # (2, faces)
    derivative: jax.Array  # of the mismatch, (unknowns, unknowns)
    inertia: jax.Array  # of the heat stored inside each face / heating power, s: the same shape


class _State(NamedTuple):
    gradients: jax.Array
    error: jax.Array  # largest mismatch that was measured last; infinity after the first step
    time_step: jax.Array  # s
    steps: jax.Array
    done: jax.Array


@jax.jit
def solve(points: OperatingPoint) -> Solution:
    """Steady states of a batch; those with `mismatch` above TOLERANCE are no solutions."""
    return jax.vmap(_solve)(points)


def _solve(point: OperatingPoint) -> Solution:
    # The balance is asked for in one place alone, since compiling it takes most of the time.
    def advance(state: _State) -> _State:
        balance = _balance(point, state.gradients)
        error = jnp.max(jnp.abs(balance.mismatch))
        longer = state.time_step * jnp.where(error < state.error, FASTER, SLOWER)
        time_step = jnp.clip(longer, SHORTEST_TIME_STEP, LONGEST_TIME_STEP)
        time_step = jnp.where(state.steps == 0, FIRST_TIME_STEP, time_step)
        # Not a number is no reason to go on; it is no solution either.
        done = (~(error > TOLERANCE) & (state.steps > 0)) | (state.steps == MOST_STEPS)
        matrix = balance.derivative + balance.inertia / time_step
        wanted = balance.mismatch.reshape(UNKNOWNS)
        change = -jnp.linalg.solve(matrix, wanted).reshape(2, INTERVALS)
        change *= jnp.minimum(1.0, LONGEST_CHANGE / jnp.max(jnp.abs(change)))
        return _State(
            jnp.where(done, state.gradients, state.gradients + change),
            jnp.where(state.steps == 0, jnp.inf, error),  # the second step's time is always longer
            time_step,
            jnp.where(done, state.steps, state.steps + 1),
            done,
        )

    first = _State(
        jnp.full((2, INTERVALS), START),
        jnp.asarray(jnp.inf),
        jnp.asarray(FIRST_TIME_STEP),
        jnp.asarray(0),
        jnp.asarray(False),
    )
    end = jax.lax.while_loop(lambda state: ~state.done, advance, first)
    temperature = temperatures(point, end.gradients, TO_NODES)
    power = fusion_power(point, temperature)
    return Solution(end.gradients, temperature, end.error, power, end.steps)


def mismatch(point: OperatingPoint, gradients: jax.Array) -> jax.Array:
    """(Heat carried through each face - heat put in inside it) / heating power, (2, faces)."""
    carried = heat_fluxes(point, gradients, temperatures(point, gradients, TO_FACES)) * SURFACES
    sources = heat_sources(point, temperatures(point, gradients, TO_NODES))
    put_in = jnp.cumsum(sources[:, :-1] * CELL_VOLUMES, axis=1)
    return (carried - put_in) / point.heating_power


def _balance(point: OperatingPoint, gradients: jax.Array) -> _Balance:
    """The mismatch and its exact derivative.

    A flux depends on its own face alone, a source on its own node: four and two derivatives in the
    direction of everything at once hold all there is, where the full Jacobian would take 36.
    """

    def carried(both: jax.Array, logarithm: jax.Array) -> jax.Array:
        return heat_fluxes(point, both, jnp.exp(logarithm)) * SURFACES

    def heated(logarithm: jax.Array) -> jax.Array:
        return heat_sources(point, jnp.exp(logarithm))[:, :-1] * CELL_VOLUMES

    on_faces = jnp.log(temperatures(point, gradients, TO_FACES))
    on_nodes = jnp.log(temperatures(point, gradients, TO_NODES))
    flow, flow_change = jax.linearize(carried, gradients, on_faces)
    source, source_change = jax.linearize(heated, on_nodes)
    faces = jnp.broadcast_to(jnp.eye(2)[:, :, None], (2, 2, INTERVALS))
    nodes = jnp.broadcast_to(jnp.eye(2)[:, :, None], (2, 2, INTERVALS + 1))
    by_gradient = jax.vmap(lambda one: flow_change(one, jnp.zeros_like(one)))(faces)
    by_temperature = jax.vmap(lambda one: flow_change(jnp.zeros_like(one), one))(faces)
    by_node = jax.vmap(source_change)(nodes)  # all three: (of species, species, place)

    inside = jnp.tril(jnp.ones((INTERVALS, INTERVALS)))  # nodes inside a face
    local = by_gradient[:, :, :, None] * jnp.eye(INTERVALS)  # (of, species, face, face)
    local += by_temperature[:, :, :, None] * TO_FACES
    local -= jnp.einsum("fn,osn,ng->osfg", inside, by_node, TO_NODES[:-1])
    density = electron_density(point, NODES[:-1]) * 1e20
    content = jnp.stack([fuel_fraction(point) * density, density]) * 1.5 * KEV * 1e-6
    stored = content * jnp.exp(on_nodes[:, :-1]) * CELL_VOLUMES  # MJ
    inertia = jnp.einsum("fn,sn,ng,so->osfg", inside, stored, TO_NODES[:-1], jnp.eye(2))
    return _Balance(
        (flow - source @ inside.T) / point.heating_power,
        _square(local) / point.heating_power,
        _square(inertia) / point.heating_power,
    )


def _square(derivative: jax.Array) -> jax.Array:
    """(of species, species, face, of face) as a matrix."""
    return derivative.transpose(1, 2, 0, 3).reshape(UNKNOWNS, UNKNOWNS)


def fusion_power(point: OperatingPoint, temperature: jax.Array) -> jax.Array:
    """MW inside the boundary, at temperatures (keV) on the nodes, (2, nodes)."""
    return jnp.sum(fusion_power_density(point, temperature[0])[:-1] * CELL_VOLUMES)
