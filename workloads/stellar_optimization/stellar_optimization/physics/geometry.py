"""Shape measures of a stellarator-symmetric boundary, differentiable with JAX.

A boundary is a pair of coefficient arrays `r_cos`, `z_sin` (m_max + 1, 2 n_max + 1) in metres:

    R(theta, phi) = sum r_cos[m, n] cos(m theta - n periods phi)
    Z(theta, phi) = sum z_sin[m, n] sin(m theta - n periods phi)

with n from -n_max to n_max. Aspect ratio, triangularity and elongation are defined as in
constellaration 0.2.6 (`constellaration.mhd.geometry_utils`), which scores the designs.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

SECTIONS = 12  # cross-sections on half a field period, both symmetry planes included
SECTION_POINTS = 25
NEWTON_STEPS = 6  # before the one that has derivatives


def _ellipse_table() -> tuple[np.ndarray, np.ndarray]:
    """Isoperimetric quotient perimeter^2 / (4 pi area) of ellipses, and their elongations."""
    elongation = np.concatenate([np.linspace(1, 3, 2001), np.linspace(3.01, 30, 3000)])
    long, short = np.sqrt(elongation), 1 / np.sqrt(elongation)
    perimeter = 4 * long * scipy.special.ellipe(1 - (short / long) ** 2)
    return perimeter**2 / (4 * np.pi**2), elongation


_QUOTIENT, _ELONGATION = _ellipse_table()


def _modes(coefficients: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    m_size, n_size = coefficients.shape
    n_max = (n_size - 1) // 2
    return np.arange(m_size)[:, None, None], np.arange(-n_max, n_max + 1)[None, :, None]


def _angles(coefficients: jax.Array, theta: jax.Array, phi: jax.Array, periods: int) -> jax.Array:
    m, n = _modes(coefficients)
    return m * theta.ravel() - periods * n * phi.ravel()


def positions(
    r_cos: jax.Array, z_sin: jax.Array, theta: jax.Array, phi: jax.Array, periods: int
) -> tuple[jax.Array, jax.Array]:
    """R and Z (m), each of the shape that `theta` and `phi` (rad) share."""
    angle = _angles(r_cos, theta, phi, periods)
    r = jnp.einsum("mn,mnk->k", r_cos, jnp.cos(angle))
    z = jnp.einsum("mn,mnk->k", z_sin, jnp.sin(angle))
    return r.reshape(theta.shape), z.reshape(theta.shape)


def aspect_ratio(r_cos: jax.Array, z_sin: jax.Array) -> jax.Array:
    """Effective major over minor radius, as VMEC defines them by volume and mean cross-section."""
    n_max = r_cos.shape[1] // 2
    m, n = np.arange(r_cos.shape[0])[:, None], np.arange(-n_max, n_max + 1)[:, None]
    theta = m * np.linspace(0, 2 * np.pi, 80, endpoint=False)
    phi = n * np.linspace(0, 2 * np.pi, 64, endpoint=False)

    def cosine_series(c: jax.Array) -> jax.Array:
        """On the grid, by cos(a - b) = cos a cos b + sin a sin b, which needs no table of all modes."""
        return np.cos(theta).T @ (c @ np.cos(phi)) + np.sin(theta).T @ (c @ np.sin(phi))

    r, dz = cosine_series(r_cos), cosine_series(z_sin * m)
    section_area = 2 * jnp.pi * jnp.mean(jnp.abs(jnp.mean(r * dz, axis=0)))
    volume = (2 * jnp.pi) ** 2 * jnp.abs(jnp.mean(0.5 * r**2 * dz))
    minor = jnp.sqrt(section_area / jnp.pi)
    return volume / (2 * jnp.pi**2 * minor**2) / minor


def official_triangularity(r_cos: jax.Array, z_sin: jax.Array, periods: int) -> jax.Array:
    """Mean over both symmetry planes of (R_centre - R at the highest point) / half width.

    The evaluator takes the highest of 201 points, so its value jumps when another one becomes the
    highest: up to 4 % where the section has a sharp corner.
    """
    theta, planes, centre, half_width, z = _symmetry_planes(r_cos, z_sin, periods)
    r_top, _ = positions(r_cos, z_sin, theta[jnp.argmax(z, 0)], planes, periods)
    return jnp.mean((centre - r_top) / half_width)


def triangularity(r_cos: jax.Array, z_sin: jax.Array, periods: int) -> jax.Array:
    """As `official_triangularity` with the true highest point: smooth, for derivatives."""
    theta, planes, centre, half_width, z = _symmetry_planes(r_cos, z_sin, periods)
    m = _modes(r_cos)[0][:, :, 0]
    top = jax.lax.stop_gradient(theta[jnp.argmax(z, 0)])
    for _ in range(3):  # Newton on dZ/dtheta = 0, so that the derivative follows the highest point
        angle = _angles(r_cos, top, planes, periods)
        slope = jnp.einsum("mn,mnk->k", z_sin * m, jnp.cos(angle))
        curvature = -jnp.einsum("mn,mnk->k", z_sin * m * m, jnp.sin(angle))
        curvature = jnp.where(jnp.abs(curvature) < 1e-6, -1e-6, curvature)
        top = top - jnp.clip(slope / curvature, -0.03, 0.03)
    r_top, _ = positions(r_cos, z_sin, top, planes, periods)
    return jnp.mean((centre - r_top) / half_width)


def _symmetry_planes(r_cos: jax.Array, z_sin: jax.Array, periods: int) -> tuple[jax.Array, ...]:
    """theta (201,), phi of both planes (2,), their centres and half widths (2,), Z (201, 2)."""
    theta = jnp.linspace(0, 2 * jnp.pi, 201)
    planes = jnp.array([0.0, jnp.pi / periods])
    r, z = positions(r_cos, z_sin, *jnp.meshgrid(theta, planes, indexing="ij"), periods)
    return theta, planes, jnp.mean(r, 0), (jnp.max(r, 0) - jnp.min(r, 0)) / 2, z


def elongations(
    r_cos: jax.Array, z_sin: jax.Array, axis_r: jax.Array, axis_z: jax.Array, periods: int
) -> jax.Array:
    """Elongation (SECTIONS,) of cross-sections perpendicular to the magnetic axis.

    Each is that of the ellipse with the perimeter and area of the section's polygon, which makes a
    circle's 1.13, as in the evaluator. `axis_r` and `axis_z` are the
    axis's Fourier coefficients (n_max + 1,), m: R = sum axis_r cos(n periods phi), Z with sin.
    """
    phi = jnp.linspace(0, jnp.pi / periods, SECTIONS)
    centre, tangent = _axis_frame(axis_r, axis_z, phi, periods)
    lines = _theta_lines(r_cos, z_sin)
    section = partial(_isoperimetric_quotient, lines, periods)
    return jnp.interp(jax.vmap(section)(centre, tangent, phi), _QUOTIENT, _ELONGATION)


def _theta_lines(r_cos: jax.Array, z_sin: jax.Array) -> jax.Array:
    """Toroidal series of R and Z at SECTION_POINTS fixed theta, (R or Z, cos or sin, 2 n_max + 1, points)."""
    m = np.arange(r_cos.shape[0])[:, None]
    theta = m * np.linspace(0, 2 * np.pi, SECTION_POINTS, endpoint=False)
    cos, sin = np.cos(theta), np.sin(theta)
    return jnp.stack(
        [jnp.stack([r_cos.T @ cos, r_cos.T @ sin]), jnp.stack([z_sin.T @ sin, -z_sin.T @ cos])]
    )


def _on_theta_lines(
    lines: jax.Array, angle: jax.Array, periods: int
) -> tuple[jax.Array, jax.Array]:
    """Cartesian points of `_theta_lines` at toroidal angles (points,), and derivatives: (points, 3) each."""
    n_max = lines.shape[2] // 2
    n = periods * np.arange(-n_max, n_max + 1)[:, None]
    cos, sin = jnp.cos(n * angle), jnp.sin(n * angle)
    r, z = jnp.sum(lines[:, 0] * cos + lines[:, 1] * sin, 1)
    dr, dz = jnp.sum(n * (lines[:, 1] * cos - lines[:, 0] * sin), 1)
    x, y = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([r * x, r * y, z], 1), jnp.stack([dr * x - r * y, dr * y + r * x, dz], 1)


def _axis_frame(
    axis_r: jax.Array, axis_z: jax.Array, phi: jax.Array, periods: int
) -> tuple[jax.Array, jax.Array]:
    """Cartesian points and unit tangents of the axis at `phi`, each (len(phi), 3)."""
    n = jnp.arange(axis_r.shape[0]) * periods
    cos, sin = jnp.cos(n[:, None] * phi), jnp.sin(n[:, None] * phi)
    r, z = axis_r @ cos, axis_z @ sin
    dr, dz = -(axis_r * n) @ sin, (axis_z * n) @ cos
    centre = jnp.stack([r * jnp.cos(phi), r * jnp.sin(phi), z], 1)
    tangent = jnp.stack(
        [dr * jnp.cos(phi) - r * jnp.sin(phi), dr * jnp.sin(phi) + r * jnp.cos(phi), dz], 1
    )
    return centre, tangent / jnp.linalg.norm(tangent, axis=1, keepdims=True)


def _isoperimetric_quotient(
    lines: jax.Array, periods: int, centre: jax.Array, tangent: jax.Array, phi: jax.Array
) -> jax.Array:
    """Perimeter^2 / (4 pi area) of the cut through `centre` perpendicular to `tangent`."""

    def better(
        angle: jax.Array, lines: jax.Array, centre: jax.Array, tangent: jax.Array
    ) -> jax.Array:
        """Nearer to the toroidal angle at which each theta line crosses the plane, by Newton's method."""
        point, slope = _on_theta_lines(lines, angle, periods)
        return angle - (point - centre) @ tangent / (slope @ tangent)

    angle = jnp.full((SECTION_POINTS,), phi)
    fixed = jax.lax.stop_gradient((lines, centre, tangent))
    for _ in range(NEWTON_STEPS):
        angle = better(angle, *fixed)
    # One more step from a root has the root's derivative.
    angle = better(jax.lax.stop_gradient(angle), lines, centre, tangent)
    point, _ = _on_theta_lines(lines, angle, periods)
    previous = jnp.roll(point, 1, 0)
    perimeter = jnp.sum(jnp.sqrt(jnp.sum((point - previous) ** 2, 1) + 1e-20))
    area = 0.5 * jnp.abs(jnp.sum(jnp.cross(previous - centre, point - centre) @ tangent))
    return perimeter**2 / (4 * jnp.pi * area)
