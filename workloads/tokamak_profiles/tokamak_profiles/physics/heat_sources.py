"""Where heat comes from and goes to, as power densities (MW / m^3) on the nodes.

Not modelled, being small here or needing what is not: ohmic heating, line and synchrotron
radiation, helium ash, fast ions' pressure.
"""

import jax
import jax.numpy as jnp

from tokamak_profiles.physics.grid import NODES
from tokamak_profiles.physics.machine import (
    CELL_VOLUMES,
    DEPOSITION_WIDTH,
    IMPURITY_CHARGE,
    IMPURITY_MASS,
    ION_MASS,
    OperatingPoint,
    electron_density,
    fuel_fraction,
    impurity_fraction,
)

KEV = 1.602176634e-16  # J
ELECTRON_MASS = 9.1093837e-31  # kg
ATOMIC_MASS = 1.66053907e-27  # kg
VACUUM_PERMITTIVITY = 8.8541878e-12  # F / m
CHARGE = 1.602176634e-19  # C

FUSION_ENERGY = 17.6e3  # keV of one reaction
ALPHA_ENERGY = 3520.0  # keV of it that stays in the plasma
ALPHA_MASS = 4.0026  # amu


def heat_sources(point: OperatingPoint, temperature: jax.Array) -> jax.Array:
    """Net heating of ions and electrons, (2, nodes), at `temperature` (keV, (2, nodes))."""
    ions, electrons = temperature
    auxiliary = heating(point)
    alpha = fusion_power_density(point, ions) * ALPHA_ENERGY / FUSION_ENERGY
    to_ions = alpha_ion_fraction(electrons)
    exchange = ion_electron_exchange(point, ions, electrons)
    return jnp.stack(
        [
            auxiliary * point.ion_fraction + alpha * to_ions + exchange,
            auxiliary * (1 - point.ion_fraction)
            + alpha * (1 - to_ions)
            - exchange
            - bremsstrahlung(point, electrons),
        ]
    )


def heating(point: OperatingPoint) -> jax.Array:
    """Auxiliary heating: a Gaussian in r / a whose volume integral is the heating power."""
    shape = jnp.exp(-0.5 * ((NODES - point.deposition_radius) / DEPOSITION_WIDTH) ** 2)
    return point.heating_power * shape / jnp.sum(shape[:-1] * CELL_VOLUMES)


def fusion_power_density(point: OperatingPoint, ions: jax.Array) -> jax.Array:
    """Deuterium-tritium power, all of it, at the ions' temperature (keV)."""
    fuel = fuel_fraction(point) * electron_density(point, NODES)  # 1e20 / m^3
    # In this order, for single precision ends at 3e38.
    return fuel**2 / 4 * (reactivity(ions) * 1e20) * (FUSION_ENERGY * KEV * 1e14)


def reactivity(ions: jax.Array) -> jax.Array:
    """<sigma v> of D-T in m^3/s at a temperature in keV (Bosch and Hale, Nucl. Fusion 32 (1992)
    611, table VII; good to 0.25 % from 0.2 to 100 keV)."""
    c1, c2, c3, c4 = 1.17302e-9, 1.51361e-2, 7.51886e-2, 4.60643e-3
    c5, c6, c7 = 1.35e-2, -1.0675e-4, 1.366e-5
    gamow, rest_energy = 34.3827, 1124656.0
    above = ions * (c2 + ions * (c4 + ions * c6))
    below = 1 + ions * (c3 + ions * (c5 + ions * c7))
    theta = ions / (1 - above / below)
    xi = (gamow**2 / (4 * theta)) ** (1 / 3)
    return c1 * theta * jnp.sqrt(xi / (rest_energy * ions**3)) * jnp.exp(-3 * xi) * 1e-6


def alpha_ion_fraction(electrons: jax.Array) -> jax.Array:
    """Part of the alphas' energy that ions get while they slow down (Mikkelsen, Nucl. Technol./
    Fusion 4 (1983) 237, eqs. 5 and 26, in the form that TORAX uses)."""
    ratio = ALPHA_ENERGY / (10 * ALPHA_MASS * electrons)  # birth energy over critical energy
    x = jnp.sqrt(ratio)
    logarithm = jnp.log((1 - x + ratio) / (1 + 2 * x + ratio)) / 6
    angle = (jnp.arctan((2 * x - 1) / jnp.sqrt(3.0)) + jnp.pi / 6) / jnp.sqrt(3.0)
    return 2 * (logarithm + angle) / ratio


def electron_collision_time(density: jax.Array, electrons: jax.Array) -> jax.Array:
    """tau_e in s for ions of charge 1, density in 1e20 / m^3, temperature in keV (Wesson, Tokamaks,
    3rd ed., p. 729, with ln Lambda of p. 727)."""
    per_volume = density * 1e20
    coulomb = 31.3 - 0.5 * jnp.log(per_volume) + jnp.log(electrons * 1e3)
    # In logarithms: fourth powers of the charge are too small for single precision.
    return jnp.exp(
        jnp.log(12 * jnp.pi**1.5 / (per_volume * coulomb))
        - 4 * jnp.log(CHARGE)
        + 0.5 * jnp.log(ELECTRON_MASS / 2)
        + 2 * jnp.log(VACUUM_PERMITTIVITY)
        + 1.5 * jnp.log(electrons * KEV)
    )


def ion_electron_exchange(
    point: OperatingPoint, ions: jax.Array, electrons: jax.Array
) -> jax.Array:
    """Heat that collisions give from electrons to ions (Wesson, sec. 14.12, summed over ions)."""
    density = electron_density(point, NODES)
    weight = fuel_fraction(point) / ION_MASS
    weight += impurity_fraction(point) * IMPURITY_CHARGE**2 / IMPURITY_MASS
    rate = 3 * ELECTRON_MASS / ATOMIC_MASS * weight / electron_collision_time(density, electrons)
    return rate * density * 1e20 * (electrons - ions) * KEV * 1e-6


def bremsstrahlung(point: OperatingPoint, electrons: jax.Array) -> jax.Array:
    """Radiated by electrons (Wesson, sec. 4.25): 5.35e-3 Z_eff n^2 sqrt(T) MW / m^3."""
    density = electron_density(point, NODES)
    return 5.35e-3 * point.effective_charge * density**2 * jnp.sqrt(electrons)
