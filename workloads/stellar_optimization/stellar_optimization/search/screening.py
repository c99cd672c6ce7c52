"""The screening model: variables -> elongations and constraint values, with Jacobian."""

import copy
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from stellar_optimization.physics import geometry, magnetics
from stellar_optimization.physics.equilibrium import Equilibrium, EquilibriumSolver
from stellar_optimization.problems.design import Boundary
from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.problems.problem import Problem

TERMS = geometry.SECTIONS  # of every problem's objective
_MAGNETIC = ("log10_qi", "mirror_ratio", "vacuum_well", "flux_compression")
_LOCAL = TERMS + 2  # gradient lengths, vacuum well and flux compression come before the spectrum
SCALE_DECAY = 1.5  # variables are coefficients divided by exp(-1.5 (max(m, |n|) - 1))


# What is measured of the field. Residual and mirror ratio bend sharply with the boundary, the Boozer series
# of |B| that they follow from hardly: so the series is what has derivatives here.
_MEASURES = (
    magnetics.gradient_lengths,
    lambda field: magnetics.vacuum_well(field)[None],
    lambda field: magnetics.flux_compression(field)[None],
    magnetics.boozer_series,
)


@dataclass(frozen=True)
class Screening:
    """Values at a point: the problem's terms (TERMS,), then the quantities of its bounds and guards.

    `values` are smooth; `official` has the triangularity as the evaluator measures it. `equilibrium`
    is what derivatives need; a screening read from a journal has none.
    """

    x: np.ndarray
    values: np.ndarray
    official: np.ndarray
    equilibrium: Equilibrium | None = None

    @property
    def objective(self) -> float:
        return float(self.values[:TERMS].max())


@dataclass(frozen=True)
class Linearised:
    """The model near a point: VMEC++'s answer is taken as linear, what is measured of it is not."""

    model: "ScreeningModel"
    point: Screening
    features: np.ndarray  # d features / d boundary (features, 2, mpol, 2 ntor + 1)

    def values(self, step: np.ndarray) -> np.ndarray:
        """Expected values at point.x + step."""
        return self.model.values_of(*self._at(step))

    def jacobian(self, step: np.ndarray) -> np.ndarray:
        """d values / d step there, (values, size)."""
        return self.model.chain(*self._at(step), self.features)

    def _at(self, step: np.ndarray) -> tuple[jax.Array, jax.Array]:
        known = self.point.equilibrium
        assert known is not None
        boundary = self.model.coefficients(self.point.x + step)
        change = np.tensordot(self.features, boundary - np.asarray(known.boundary), 3)
        return jnp.asarray(boundary), known.features + change


class ScreeningModel:
    """A problem's objective and constraints for boundaries with modes up to `modes`.

    Variables x (size,): scaled r_cos, then scaled z_sin, of all modes but R_00, which is 1 m.
    """

    def __init__(self, periods: int, modes: int, problem: Problem = GEOMETRICAL) -> None:
        self.periods, self.modes, self.problem = periods, modes, problem
        mpol = ntor = modes + problem.extra_modes
        self._ntor, self._axis = ntor, 2 * (ntor + 1)
        m = np.arange(mpol)[:, None] * np.ones((1, 2 * ntor + 1), int)
        n = np.arange(-ntor, ntor + 1)[None] * np.ones((mpol, 1), int)
        free = (m <= modes) & (abs(n) <= modes) & ~((m == 0) & (n <= 0))
        self._index = np.argwhere(free)
        order = np.maximum(m, abs(n))[free]
        self.scale = np.tile(np.exp(-SCALE_DECAY * (order - 1)), 2)
        self.size = len(self.scale)
        spectrum = np.where(m[free] + abs(n[free]) > 1, m[free] ** 2 + n[free] ** 2, 0)
        self.roughness = np.tile(spectrum, 2) * self.scale
        self.quantities = problem.quantities
        term = problem.terms.removesuffix("s")
        self.metrics = [f"{term}_{number:02d}" for number in range(TERMS)] + self.quantities
        self._magnetic = problem.terms != "elongations"
        # Of the shape only what the problem asks for is measured: a step's model does it a hundred times.
        self._of_shape = ["aspect_ratio"]
        if "triangularity" in self.quantities:
            self._of_shape.append("triangularity")
        largest = 1 if "elongation" in self.quantities else 0
        self._elongation_count = largest if self._magnetic else geometry.SECTIONS
        measures = _MEASURES if self._magnetic else ()
        self._solver = EquilibriumSolver(periods, mpol, ntor, measures)
        self._base = np.zeros(self._solver.shape)
        self._base[0, 0, ntor] = 1.0
        self._reduced = jax.jit(self._reduced_of)
        self._reduced_jacobian = jax.jit(jax.jacrev(self._reduced_of, argnums=(0, 1)))
        self._shape = jax.jit(self._shape_of)
        self._official_triangularity = jax.jit(
            partial(geometry.official_triangularity, periods=periods)
        )
        self._shape_jacobian = jax.jit(jax.jacrev(self._shape_of, argnums=(0, 1)))

    def of(self, problem: Problem) -> "ScreeningModel":
        """The model of a problem that differs in limits alone; what is compiled is shared."""
        if problem == self.problem:
            return self
        other = copy.copy(self)
        other.problem = problem
        return other

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """VMEC++'s boundary arrays (2, mpol, 2 ntor + 1), m."""
        boundary = self._base.copy()
        boundary[:, self._index[:, 0], self._index[:, 1]] = (x * self.scale).reshape(2, -1)
        return boundary

    def boundary(self, x: np.ndarray) -> Boundary:
        kept = np.s_[: self.modes + 1, self._ntor - self.modes : self._ntor + self.modes + 1]
        r_cos, z_sin = self.coefficients(x)
        return Boundary(r_cos[kept].tolist(), z_sin[kept].tolist(), self.periods)

    def variables(self, boundary: Boundary) -> np.ndarray:
        """x of `boundary` scaled to R_00 = 1 m; modes that the model lacks are dropped."""
        r_cos, z_sin = np.array(boundary.r_cos), np.array(boundary.z_sin)
        n_max = (r_cos.shape[1] - 1) // 2
        major = r_cos[0, n_max]
        full = np.zeros_like(self._base)
        m_kept = min(r_cos.shape[0], full.shape[1])
        n_kept = min(n_max, self._ntor)
        target = np.s_[:m_kept, self._ntor - n_kept : self._ntor + n_kept + 1]
        source = np.s_[:m_kept, n_max - n_kept : n_max + n_kept + 1]
        full[0][target], full[1][target] = r_cos[source] / major, z_sin[source] / major
        return full[:, self._index[:, 0], self._index[:, 1]].ravel() / self.scale

    def _shape_of(self, boundary: jax.Array, axis: jax.Array) -> jax.Array:
        """Elongations of all sections, the largest or none; then what `_of_shape` names."""
        axis_r, axis_z = jnp.split(axis, 2)
        r_cos, z_sin = boundary
        shape = [geometry.aspect_ratio(r_cos, z_sin)]
        if "triangularity" in self._of_shape:
            shape.append(geometry.triangularity(r_cos, z_sin, self.periods))
        if self._elongation_count == 0:
            return jnp.stack(shape)
        elongations = geometry.elongations(r_cos, z_sin, axis_r, axis_z, self.periods)
        if self._elongation_count == 1:
            elongations = jnp.max(elongations)[None]
        return jnp.concatenate([elongations, jnp.stack(shape)])

    def _reduced_of(self, series: jax.Array, iota: jax.Array) -> jax.Array:
        """Residual and mirror ratio, of the Boozer series and the transform per period."""
        spectrum = magnetics.boozer_spectrum(series)
        residual = magnetics.log10_qi_residual(spectrum, iota)
        return jnp.stack([residual, magnetics.edge_mirror_ratio(spectrum)])

    def _chosen(self, measured: np.ndarray) -> np.ndarray:
        """Of all that is measured, what the problem asks for: values, or rows of derivatives."""
        elongations, others = np.split(measured, [self._elongation_count])
        names = [*self._of_shape, "iota_per_period"]
        named = dict(zip(names, others, strict=False))
        rest = others[len(names) :]
        terms = -rest[:TERMS] if self._magnetic else elongations
        named |= dict(zip(_MAGNETIC, rest[TERMS:], strict=False))
        if self._elongation_count == 1:
            named["elongation"] = elongations[0]
        return np.concatenate([terms, np.stack([named[name] for name in self.quantities])])

    def evaluate(self, x: np.ndarray) -> Screening | None:
        """Values at x, or None where there is no equilibrium."""
        equilibrium = self._solver.solve(jnp.asarray(self.coefficients(x)))
        if equilibrium is None:
            return None
        values = self.values_of(equilibrium.boundary, equilibrium.features)
        if not np.all(np.isfinite(values)):
            return None
        official = values.copy()
        if "triangularity" in self._of_shape:
            place = TERMS + self.quantities.index("triangularity")
            official[place] = self._official_triangularity(*equilibrium.boundary)
        return Screening(x, values, official, equilibrium)

    def values_of(self, boundary: jax.Array, features: jax.Array) -> np.ndarray:
        """What the problem asks for, of a boundary and VMEC++'s answer to it."""
        axis, iota = features[: self._axis], features[self._axis]
        shape = self._shape(boundary, axis)
        rest = features[self._axis + 1 :]
        if self._magnetic:
            local, series = rest[:_LOCAL], rest[_LOCAL:]
            reduced = self._reduced(series, iota)
            rest = jnp.concatenate([local[:TERMS], reduced, local[TERMS:]])
        return self._chosen(np.concatenate([shape, np.abs(iota)[None], rest]))

    def linearised(self, screening: Screening) -> Linearised | None:
        """The model near a solved point, or None where VMEC++'s adjoint fails."""
        equilibrium = screening.equilibrium or self._solver.solve(
            jnp.asarray(self.coefficients(screening.x))
        )
        if equilibrium is None:
            return None
        features = self._solver.jacobian(equilibrium)
        if features is None:
            return None
        return Linearised(self, replace(screening, equilibrium=equilibrium), features)

    def jacobian(self, screening: Screening) -> np.ndarray | None:
        """d values / d x (values, size), or None where VMEC++'s adjoint fails."""
        linear = self.linearised(screening)
        if linear is None:
            return None
        known = linear.point.equilibrium
        assert known is not None
        jacobian = self.chain(known.boundary, known.features, linear.features)
        return jacobian if np.all(np.isfinite(jacobian)) else None

    def chain(self, boundary: jax.Array, features: jax.Array, slopes: np.ndarray) -> np.ndarray:
        """d values / d x (values, size), from d features / d boundary."""
        axis, iota = features[: self._axis], features[self._axis]
        direct, through_axis = self._shape_jacobian(boundary, axis)
        shape = np.asarray(direct) + np.einsum("va,abmn->vbmn", through_axis, slopes[: self._axis])
        of_iota, rest = slopes[self._axis], slopes[self._axis + 1 :]
        if self._magnetic:
            local, series = rest[:_LOCAL], rest[_LOCAL:]
            by_series, by_iota = self._reduced_jacobian(features[self._axis + 1 + _LOCAL :], iota)
            reduced = np.tensordot(by_series, series, 1) + np.multiply.outer(by_iota, of_iota)
            rest = np.concatenate([local[:TERMS], reduced, local[TERMS:]])
        signed = np.sign(float(iota)) * of_iota[None]
        full = self._chosen(np.concatenate([shape, signed, rest]))
        columns = full[:, :, self._index[:, 0], self._index[:, 1]]
        found: np.ndarray = columns.reshape(len(full), -1) * self.scale
        return found
