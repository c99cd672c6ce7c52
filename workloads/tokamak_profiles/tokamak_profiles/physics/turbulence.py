"""Turbulent heat fluxes by QLKNN_7_11, a neural surrogate of the quasilinear gyrokinetic code QuaLiKiz.

Van de Plassche et al., Phys. Plasmas 27 (2020) 022310; the weights are those of the package
fusion-surrogates. Inputs, normalisation, correction of the shear and of the electron-scale flux
follow TORAX (Citrin et al., arXiv:2406.06718), whose documentation lists them.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from fusion_surrogates.qlknn.qlknn_model import QLKNNModel

from tokamak_profiles.physics.grid import FACES
from tokamak_profiles.physics.heat_sources import (
    ATOMIC_MASS,
    CHARGE,
    ELECTRON_MASS,
    KEV,
    electron_collision_time,
)
from tokamak_profiles.physics.machine import (
    FIELD,
    ION_MASS,
    MAJOR_RADIUS,
    MINOR_RADIUS,
    OperatingPoint,
    density_gradient,
    electron_density,
    fuel_fraction,
    impurity_fraction,
    safety_factor,
)

TRAINED_ASPECT = 1 / 3  # inverse aspect ratio of the surrogate's data
ELECTRON_SCALE_FACTOR = 1 / 3  # of the flux on the electrons' scale, TORAX's default
CLIP_MARGIN = 0.95  # of the range of the surrogate's data, TORAX's default
VACUUM_PERMEABILITY = 1.2566371e-6  # H / m

INNER = 0.2  # r / a, inside which sawteeth and not the surrogate decide
INNER_DIFFUSIVITY = 1.0  # m^2 / s there
RESIDUAL_DIFFUSIVITY = 0.05  # m^2 / s everywhere: keeps a flux below the turbulence's threshold


def heat_fluxes(point: OperatingPoint, gradients: jax.Array, temperature: jax.Array) -> jax.Array:
    """MW / m^2 of ions and electrons on the faces, (2, faces).

    gradients: -a d(ln T)/dr; temperature: keV; both (2, faces).
    """
    density = electron_density(point, FACES)
    densities = jnp.stack([fuel_fraction(point) * density, density]) * 1e20
    inner = FACES < INNER
    fluxes = jnp.where(inner, 0.0, gyrobohm_fluxes(point, gradients, temperature))
    turbulent = fluxes * gyrobohm_diffusivity(temperature[0]) / MINOR_RADIUS
    diffusivity = jnp.where(inner, INNER_DIFFUSIVITY, RESIDUAL_DIFFUSIVITY)
    conducted = diffusivity * gradients / MINOR_RADIUS
    return densities * temperature * KEV * (turbulent + conducted) * 1e-6


def gyrobohm_diffusivity(ions: jax.Array) -> jax.Array:
    """sqrt(m) T^1.5 / (e^2 B^2 a) in m^2/s at the ions' temperature in keV."""
    mass = ION_MASS * ATOMIC_MASS
    speed = jnp.sqrt(ions * KEV / mass)
    gyroradius = mass * speed / (CHARGE * FIELD)
    return gyroradius**2 * speed / MINOR_RADIUS


def gyrobohm_fluxes(
    point: OperatingPoint, gradients: jax.Array, temperature: jax.Array
) -> jax.Array:
    """Ions' and electrons' turbulent heat flux in gyro-Bohm units, (2, faces)."""
    model = _model()
    inputs = qlknn_inputs(point, gradients, temperature)
    found = model.predict(_clipped(model, inputs))
    flux = {name: value[..., 0] for name, value in found.items()}
    electrons = flux["efeITG"] + flux["efeTEM"] + ELECTRON_SCALE_FACTOR * flux["efeETG"]
    return jnp.stack([flux["efiITG"] + flux["efiTEM"], electrons])


def qlknn_inputs(
    point: OperatingPoint, gradients: jax.Array, temperature: jax.Array
) -> dict[str, jax.Array]:
    """The surrogate's inputs on the faces, by the names that it has for them."""
    ions, electrons = temperature
    aspect = MAJOR_RADIUS / MINOR_RADIUS
    density, slope = electron_density(point, FACES), density_gradient(point, FACES)
    fuel, impurity = fuel_fraction(point), impurity_fraction(point)
    q, shear = safety_factor(point, FACES)
    # alpha_MHD = -q^2 R d(beta)/dr; half of it stands for the Shafranov shift (van Mulders et al.,
    # Nucl. Fusion 61 (2021) 086019), and shear - alpha is kept above -0.2, as TORAX does.
    pressure = electrons * (gradients[1] * aspect + slope)
    pressure += (fuel + impurity) * ions * (gradients[0] * aspect + slope)
    alpha = 2 * VACUUM_PERMEABILITY * q**2 * density * 1e20 * KEV * pressure / FIELD**2
    shear = shear - alpha / 2
    shear = jnp.where(shear - alpha < -0.2, alpha - 0.2, shear)
    return {
        "Ati": gradients[0] * aspect,
        "Ate": gradients[1] * aspect,
        "Ane": slope,
        "Ani": slope,
        "q": q,
        "smag": shear,
        "x": jnp.asarray(FACES / aspect / TRAINED_ASPECT),
        "Ti_Te": ions / electrons,
        "LogNuStar": jnp.log10(collisionality(point, q, electrons)),
        "normni": jnp.full_like(ions, fuel),
    }


def collisionality(point: OperatingPoint, q: jax.Array, electrons: jax.Array) -> jax.Array:
    """nu*: electrons' collisions per bounce of a trapped one, on the faces."""
    inverse_aspect = FACES * MINOR_RADIUS / MAJOR_RADIUS
    speed = jnp.sqrt(electrons * KEV / ELECTRON_MASS)
    bounce = q * MAJOR_RADIUS / (inverse_aspect**1.5 * speed)
    time = electron_collision_time(electron_density(point, FACES), electrons)
    return point.effective_charge * bounce / time


def _clipped(model: Any, inputs: dict[str, jax.Array]) -> jax.Array:
    """Inside the surrogate's data with a margin; (faces, inputs)."""
    columns = []
    for name, bounds in model.inputs_and_ranges.items():
        low = bounds["min"] + abs(bounds["min"]) * (1 - CLIP_MARGIN)
        high = bounds["max"] - abs(bounds["max"]) * (1 - CLIP_MARGIN)
        columns.append(jnp.clip(inputs[name], low, high))
    return jnp.stack(columns, axis=-1)


@cache
def _model() -> Any:
    with jax.ensure_compile_time_eval():  # the first call may come while something is traced
        model = QLKNNModel.load_default_model()
        model.params = jax.tree.map(np.asarray, model.params)
    return model
