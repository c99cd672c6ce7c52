"""VMEC++ equilibria and their exact derivatives with respect to the boundary."""

import logging
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import vmecpp
from vmecpp import autodiff, autodiff_wout

from stellar_optimization.design import Boundary

# A boundary without an equilibrium is an ordinary answer here; JAX logs 25 lines for each.
logging.getLogger("jax._src.callback").setLevel(logging.CRITICAL)

RADIAL_SURFACES = 25
FORCE_TOLERANCE = 1e-11
MAX_ITERATIONS = 1200

# JAX reports an exception of VMEC++ as one or the other, depending on when it is noticed.
_CALLBACK_ERRORS = (jax.errors.JaxRuntimeError, ValueError)


@dataclass(frozen=True)
class Equilibrium:
    """What the shape measures need of a solved boundary.

    boundary: (2, mpol, 2 ntor + 1), m; features: axis R (ntor + 1), axis Z (ntor + 1), signed edge
    rotational transform per field period; internal: VMEC++'s geometry, where derivatives are taken.
    """

    boundary: jax.Array
    features: jax.Array
    internal: object


class EquilibriumSolver:
    """Fixed-boundary equilibria without pressure and current, of one resolution.

    The derivative goes boundary -> VMEC++ state by VMEC++'s adjoint and state -> features by
    JAX. Only those features are compiled: all of `vmecpp.run` takes three times longer.
    """

    def __init__(self, periods: int, mpol: int, ntor: int) -> None:
        self.shape = (2, mpol, 2 * ntor + 1)
        self._periods = periods
        self._input = _vmec_input(periods, mpol, ntor)
        solver = autodiff.make_solver(self._input)
        self._solve = jax.jit(lambda boundary: solver(boundary))  # noqa: PLW0108 - unhashable
        self._pull_back = jax.jit(
            lambda boundary, bars: jax.vmap(jax.vjp(solver, boundary)[1])(bars)[0]
        )
        self._features = jax.jit(self._features_of)
        self._features_jacobian = jax.jit(jax.jacrev(self._features_of))

    def _features_of(self, internal: object) -> jax.Array:
        no_current = jnp.zeros(RADIAL_SURFACES - 1)
        wout = autodiff_wout.wout_quantities(internal, self._input, current_half=no_current)
        # VMEC's Z series runs with sin(m theta - n phi): the axis (m = 0) has the other sign.
        edge_iota = wout["iotaf"][-1:] / self._periods
        return jnp.concatenate([wout["raxis_cc"], -wout["zaxis_cs"], edge_iota])

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


def _no_equilibrium(error: Exception) -> None:
    if "CpuCallback" not in str(error):
        raise error


def _vmec_input(periods: int, mpol: int, ntor: int) -> vmecpp.VmecInput:
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


def relative_field_strength(boundary: Boundary, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """|B| on the boundary over its mean, at angles (rad) of one shape; ValueError if unsolvable."""
    r_cos, z_sin = np.array(boundary.r_cos), np.array(boundary.z_sin)
    m_max, n_max = r_cos.shape[0] - 1, (r_cos.shape[1] - 1) // 2
    mpol, ntor = m_max + 3, n_max + 2
    settings = _vmec_input(boundary.n_field_periods, mpol, ntor)
    inner = np.s_[: m_max + 1, ntor - n_max : ntor + n_max + 1]
    settings.rbc[inner], settings.zbs[inner] = r_cos, z_sin
    try:
        wout = vmecpp.run(settings, verbose=False, max_threads=1).wout
    except RuntimeError as error:
        raise ValueError(f"no equilibrium: {error}") from error
    # On the half grid; extrapolated to the boundary as VMEC does.
    edge = 1.5 * wout.bmnc[:, -1] - 0.5 * wout.bmnc[:, -2]
    angle = np.multiply.outer(wout.xm_nyq, theta) - np.multiply.outer(wout.xn_nyq, phi)
    strength = np.tensordot(edge, np.cos(angle), 1)
    return strength / strength.mean()
