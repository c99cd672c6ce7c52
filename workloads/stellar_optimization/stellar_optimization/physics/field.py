"""The magnetic field of a finished design, for pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import vmecpp

from stellar_optimization.physics.equilibrium import vmec_input
from stellar_optimization.problems.design import Boundary

MODES = 10  # as the official evaluator solves
ITERATIONS = 4000
TOLERANCE = 1e-9


@dataclass(frozen=True)
class BoundaryField:
    """Field on the boundary at the angles asked for, and the transform inside.

    strength: |B| over its mean; boozer_theta, boozer_phi: Boozer angles (rad) of the same points;
    flux: toroidal flux over that of the boundary, from 0; iota: rotational transform there.
    """

    strength: np.ndarray
    boozer_theta: np.ndarray
    boozer_phi: np.ndarray
    flux: np.ndarray
    iota: np.ndarray


def boundary_field(boundary: Boundary, theta: np.ndarray, phi: np.ndarray) -> BoundaryField:
    """Field at angles (rad) of one shape; ValueError for a boundary without equilibrium.

    Boozer angles by A. H. Boozer, Phys. Fluids 24, 1999 (1981): with B = grad(w) + I grad(theta)
    + G grad(phi) on a flux surface, nu = (w - I lambda) / (G + iota I), theta_B = theta + lambda +
    iota nu, phi_B = phi + nu. The current I is zero here but for rounding.
    """
    wout = _solve(boundary)

    def at(coefficients: Any, m: Any, n: Any, wave: Any) -> np.ndarray:
        angle = np.multiply.outer(m, theta) - np.multiply.outer(n, phi)
        return np.tensordot(coefficients, wave(angle), 1)

    def edge(half_grid: Any) -> np.ndarray:
        """Extrapolated to the boundary as VMEC does."""
        return np.asarray(1.5 * half_grid[:, -1] - 0.5 * half_grid[:, -2])

    m, n = np.asarray(wout.xm_nyq), np.asarray(wout.xn_nyq)
    b_theta, b_phi = edge(wout.bsubumnc), edge(wout.bsubvmnc)
    strength = at(edge(wout.bmnc), m, n, np.cos)
    constant = (m == 0) & (n == 0)
    current_i, current_g = b_theta[constant][0], b_phi[constant][0]
    w = np.where(m != 0, b_theta / np.where(m == 0, 1, m), -b_phi / np.where(n == 0, 1, n))
    w[constant] = 0.0
    lam = at(np.asarray(wout.lmns)[:, -1], np.asarray(wout.xm), np.asarray(wout.xn), np.sin)
    iota = np.asarray(wout.iotaf)
    nu = (at(w, m, n, np.sin) - current_i * lam) / (current_g + iota[-1] * current_i)
    flux = np.linspace(0, 1, len(iota))
    return BoundaryField(
        strength / strength.mean(), theta + lam + iota[-1] * nu, phi + nu, flux, iota
    )


def _solve(boundary: Boundary) -> Any:
    r_cos, z_sin = np.array(boundary.r_cos), np.array(boundary.z_sin)
    m_max, n_max = r_cos.shape[0] - 1, (r_cos.shape[1] - 1) // 2
    modes = max(MODES, m_max + 2, n_max + 2)
    settings = vmec_input(boundary.n_field_periods, modes, modes)
    settings.niter_array, settings.ftol_array = np.array([ITERATIONS]), np.array([TOLERANCE])
    inner = np.s_[: m_max + 1, modes - n_max : modes + n_max + 1]
    settings.rbc[inner], settings.zbs[inner] = r_cos, z_sin
    try:
        return vmecpp.run(settings, verbose=False, max_threads=1).wout
    except RuntimeError as error:
        raise ValueError(f"no equilibrium: {error}") from error
