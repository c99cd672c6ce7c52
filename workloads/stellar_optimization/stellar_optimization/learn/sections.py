"""What cross-sections of a boundary look like: features that a network need not discover by itself.

Elongation, tilt, area and place of sections at fixed toroidal angles say most of what the metrics depend
on; unlike coefficients they mean the same for boundaries that differ much. The same formulas run in numpy
and in JAX.
"""

from typing import Any

import numpy as np

from stellar_optimization.learn.coefficients import feature_scale, free_modes

PLANES, POINTS = 5, 32  # toroidal angles on half a field period, points of a section
SMALLEST = 1e-6  # areas (m^2) and their squares below this are no section


def section_features(inputs: Any, modes: int, library: Any = np) -> Any:
    """(rows, 6 PLANES) of inputs (rows, features); library: numpy or jax.numpy.

    By plane: logarithms of area and elongation, both components of the tilt, R and Z of the centre.
    """
    half = inputs.shape[1] // 2
    r_map, z_map, slope_map = (part.astype(inputs.dtype) for part in _maps(modes))
    shape = (len(inputs), PLANES, POINTS)
    r = 1.0 + (inputs[:, :half] @ r_map).reshape(shape)
    z = (inputs[:, half : 2 * half] @ z_map).reshape(shape)
    slope = (inputs[:, half : 2 * half] @ slope_map).reshape(shape)
    area = 2 * np.pi * abs((r * slope).mean(2))
    r_centre, z_centre = r.mean(2), z.mean(2)
    r_off, z_off = r - r_centre[:, :, None], z - z_centre[:, :, None]
    rr, zz, rz = (r_off**2).mean(2), (z_off**2).mean(2), (r_off * z_off).mean(2)
    size = library.sqrt(library.maximum(rr * zz - rz**2, SMALLEST**2))
    stretch, tilt = 0.5 * (rr - zz) / size, rz / size
    length = library.sqrt(1.0 + stretch**2 + tilt**2)
    elongation = library.log(length + library.sqrt(library.maximum(length**2 - 1.0, SMALLEST)))
    # Divided by their length, so that a needle counts little more than a long ellipse.
    columns = [library.log(area + SMALLEST), elongation, stretch / length, tilt / length]
    return library.concatenate([*columns, r_centre, z_centre], axis=1)


def _maps(modes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of features to R - 1, Z and dZ / dtheta at all points, each (free modes, PLANES * POINTS).

    The toroidal angle counts field periods, so that these hold for any number of them.
    """
    m, n = free_modes(modes)
    scale = feature_scale(modes)[: len(m), None]
    theta = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    phi = np.linspace(0, np.pi, PLANES)
    angle = np.multiply.outer(m, np.tile(theta, PLANES))
    angle = angle - np.multiply.outer(n, np.repeat(phi, POINTS))
    return scale * np.cos(angle), scale * np.sin(angle), scale * m[:, None] * np.cos(angle)
