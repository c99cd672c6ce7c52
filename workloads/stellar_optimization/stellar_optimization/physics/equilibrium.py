"""VMEC++ equilibria and their exact derivatives with respect to the boundary."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import vmecpp
from vmecpp import autodiff, autodiff_wout

from stellar_optimization.physics.magnetics import Field

# A boundary without an equilibrium is an ordinary answer here; JAX logs 25 lines for each.
logging.getLogger("jax._src.callback").setLevel(logging.CRITICAL)

RADIAL_SURFACES = 25
FORCE_TOLERANCE = 1e-11
MAX_ITERATIONS = 2000

# JAX reports an exception of VMEC++ as one or the other, depending on when it is noticed.
_CALLBACK_ERRORS = (jax.errors.JaxRuntimeError, ValueError)


@dataclass(frozen=True)
class Equilibrium:
    """What the shape measures need of a solved boundary.

    boundary: (2, mpol, 2 ntor + 1), m; features: axis R (ntor + 1), axis Z (ntor + 1), signed edge
    rotational transform per field period, then what the solver was asked to measure; internal:
    VMEC++'s geometry, where derivatives are taken.
    """

    boundary: jax.Array
    features: jax.Array
    internal: object


class EquilibriumSolver:
    """Fixed-boundary equilibria without pressure and current, of one resolution.

    The derivative goes boundary -> VMEC++ state by VMEC++'s adjoint and state -> features by
    JAX. Only those features are compiled: all of `vmecpp.run` takes three times longer.
    """

    def __init__(
        self,
        periods: int,
        mpol: int,
        ntor: int,
        measures: Sequence[Callable[[Field], jax.Array]] = (),
    ) -> None:
        """`measures`: what is measured of the field, each a vector."""
        self.shape = (2, mpol, 2 * ntor + 1)
        self._periods = periods
        self._input = vmec_input(periods, mpol, ntor)
        solver = autodiff.make_solver(self._input)
        self._solve = jax.jit(lambda boundary: solver(boundary))  # noqa: PLW0108 - unhashable
        self._pull_back = jax.jit(
            lambda boundary, bars: jax.vmap(jax.vjp(solver, boundary)[1])(bars)[0]
        )
        self._measures = (_axis_and_transform, *measures)
        self._features = jax.jit(self._features_of)
        self._features_jacobian = jax.jit(self._features_jacobian_of)

    def _field(self, internal: object) -> Field:
        no_current = jnp.zeros(RADIAL_SURFACES - 1)
        wout = autodiff_wout.wout_quantities(internal, self._input, current_half=no_current)
        tables = autodiff_wout.static_fields(self._input)
        names = ("xm", "xn", "xm_nyq", "xn_nyq")
        return Field(wout, tuple(tables[name] for name in names), self._periods)

    def _features_of(self, internal: object) -> jax.Array:
        field = self._field(internal)
        return jnp.concatenate([measure(field) for measure in self._measures])

    def _features_jacobian_of(self, internal: object) -> Any:
        """By measure: the derivative of one vector costs its length times the work for all of it."""
        parts = [
            jax.jacrev(lambda state, measure=measure: measure(self._field(state)))(internal)
            for measure in self._measures
        ]
        return jax.tree.map(lambda *rows: jnp.concatenate(rows), *parts)

    def solve(self, boundary: jax.Array) -> Equilibrium | None:
        """The equilibrium of `boundary`, or None where VMEC++ finds none."""
        try:
            internal = jax.block_until_ready(self._solve(boundary))
        except _CALLBACK_ERRORS as error:
            return _no_equilibrium(error)
        features = self._features(internal)
        if not bool(jnp.all(jnp.isfinite(features))):
            return None
        return Equilibrium(boundary, features, internal)

    def jacobian(self, equilibrium: Equilibrium) -> np.ndarray | None:
        """d features / d boundary (features, 2, mpol, 2 ntor + 1), or None where it fails."""
        bars = self._features_jacobian(equilibrium.internal)
        try:
            return np.asarray(self._pull_back(equilibrium.boundary, bars))
        except _CALLBACK_ERRORS as error:
            return _no_equilibrium(error)


def _axis_and_transform(field: Field) -> jax.Array:
    """Axis R and Z and the edge transform per field period, as in `Equilibrium.features`."""
    wout = field.wout
    # VMEC's Z series runs with sin(m theta - n phi): the axis (m = 0) has the other sign.
    return jnp.concatenate(
        [wout["raxis_cc"], -wout["zaxis_cs"], wout["iotaf"][-1:] / field.periods]
    )


def _no_equilibrium(error: Exception) -> None:
    if "CpuCallback" not in str(error):
        raise error


def vmec_input(periods: int, mpol: int, ntor: int) -> vmecpp.VmecInput:
    """Settings of a solve without a boundary: vacuum, one radial resolution."""
    settings = vmecpp.VmecInput()
    settings.nfp, settings.mpol, settings.ntor = periods, mpol, ntor
    settings.ns_array = np.array([RADIAL_SURFACES])
    settings.ftol_array = np.array([FORCE_TOLERANCE])
    settings.niter_array = np.array([MAX_ITERATIONS])
    settings.ncurr = 1
    settings.delt = 0.7
    settings.nstep = 250
    settings.phiedge = -0.1
    settings.raxis_c = np.zeros(ntor + 1)
    settings.zaxis_s = np.zeros(ntor + 1)
    settings.rbc = np.zeros((mpol, 2 * ntor + 1))
    settings.zbs = np.zeros((mpol, 2 * ntor + 1))
    return settings
