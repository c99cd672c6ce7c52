"""An ITER-size tokamak: geometry, grid, and the profiles that are given rather than solved.

Flux surfaces are nested ellipses of constant elongation around one axis (large aspect ratio, no
Shafranov shift except in the turbulence; see turbulence.py). The radius is the half-width r.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tokamak_profiles.physics.grid import BOUNDARY, FACES

MAJOR_RADIUS = 6.2  # m; these five are ITER's (ITER Physics Basis, Nucl. Fusion 39 (1999) 2137)
MINOR_RADIUS = 2.0  # m
FIELD = 5.3  # T
ELONGATION = 1.7
EDGE_SAFETY_FACTOR = 3.0  # at 95 % of the flux, with 15 MA
FULL_CURRENT = 15.0  # MA

DEPOSITION_WIDTH = 0.2  # standard deviation of the heating's Gaussian, r / a
ION_MASS = 2.5  # amu: half deuterium, half tritium
IMPURITY_CHARGE = 10  # neon, fully stripped
IMPURITY_MASS = 20.18  # amu

# Cells of the finite volumes lie around the nodes and end at the faces. An ellipse of half-width r
# has V = 2 pi^2 R kappa r^2.
_ENDS = np.concatenate([[0.0], FACES]) * MINOR_RADIUS
CELL_VOLUMES = 2 * np.pi**2 * MAJOR_RADIUS * ELONGATION * np.diff(_ENDS**2)  # m^3, without the last
# V' <|grad r|^2>, which times a flux density is the heat that flows through the surface (m^2);
# on x^2 + (y / kappa)^2 = r^2 the mean of |grad r|^2 is (1 + 1 / kappa^2) / 2.
SURFACES = (
    4 * np.pi**2 * MAJOR_RADIUS * ELONGATION * FACES * MINOR_RADIUS * (1 + ELONGATION**-2) / 2
)


class OperatingPoint(NamedTuple):
    """What an operator sets; each field is a scalar (or an array over many points)."""

    heating_power: jax.Array  # MW, all of it inside the boundary
    ion_fraction: jax.Array  # of the heating power that ions take
    deposition_radius: jax.Array  # r / a of the Gaussian's centre
    plasma_current: jax.Array  # MA
    pedestal_density: jax.Array  # electrons at the boundary, 1e20 / m^3
    density_peaking: jax.Array  # electrons at the axis over those at the boundary
    pedestal_temperature: jax.Array  # ions' and electrons' at the boundary, keV
    effective_charge: jax.Array


def electron_density(point: OperatingPoint, radius: np.ndarray) -> jax.Array:
    """Parabola between axis and boundary, 1e20 / m^3, on `radius` (r / a)."""
    shape = 1 - (radius / BOUNDARY) ** 2
    return point.pedestal_density * (1 + (point.density_peaking - 1) * shape)


def density_gradient(point: OperatingPoint, radius: np.ndarray) -> jax.Array:
    """R / L_n = -R d(ln n)/dr of electrons; with one Z_eff everywhere also of each ion."""
    slope = -2 * (point.density_peaking - 1) * radius / BOUNDARY**2  # d(n / n_b) / d(r / a)
    relative = slope * point.pedestal_density / electron_density(point, radius)
    return -relative * MAJOR_RADIUS / MINOR_RADIUS


def impurity_fraction(point: OperatingPoint) -> jax.Array:
    """Impurity density over electron density, from Z_eff and quasineutrality."""
    return (point.effective_charge - 1) / (IMPURITY_CHARGE * (IMPURITY_CHARGE - 1))


def fuel_fraction(point: OperatingPoint) -> jax.Array:
    """Density of deuterium and tritium over electron density."""
    return 1 - IMPURITY_CHARGE * impurity_fraction(point)


def safety_factor(point: OperatingPoint, radius: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """q and magnetic shear (r/q) dq/dr of a given profile: 1 on the axis, then growing as r^3."""
    edge = EDGE_SAFETY_FACTOR * FULL_CURRENT / point.plasma_current
    growth = (edge - 1) * (radius / 0.95) ** 3
    return 1 + growth, 3 * growth / (1 + growth)


def temperatures(point: OperatingPoint, gradients: jax.Array, onto: np.ndarray) -> jax.Array:
    """keV of ions and electrons, (2, nodes) or (2, faces) as `onto` is TO_NODES or TO_FACES.

    gradients: -a d(ln T)/dr on the faces, (2, faces).
    """
    return point.pedestal_temperature * jnp.exp(gradients @ onto.T)
