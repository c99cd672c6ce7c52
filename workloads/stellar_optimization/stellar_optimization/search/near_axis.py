"""A start near quasi-isodynamic fields: ellipses about an axis that is straight where |B| is extreme."""

import numpy as np

from stellar_optimization.problems.design import Boundary

STEPS = 400  # along the axis, per field period
GRID = 64  # poloidal and toroidal points of the Fourier transform
MIRROR = 0.15  # relative variation of |B| along the axis
HELIX = {1: 0.4, 2: 0.3}  # vertical excursion of the axis over its major radius, by field periods
USUAL_HELIX = 0.15
TWIST = (
    -0.05
)  # second harmonic of the excursion over the first; without it the axis has no net torsion
MODES = 2


def near_axis(periods: int, aspect: float, elongation: float) -> Boundary:
    """Boundary with MODES Fourier modes, R_00 = 1 m, of ellipses perpendicular to such an axis.

    The curvature of R = 1 - cos(2 N phi) / (1 + 4 N^2), Z = z sin(N phi) vanishes where |B| along the axis
    has its maximum and minimum, as a quasi-isodynamic field needs (G. G. Plunk, M. Landreman, P. Helander,
    J. Plasma Phys. 85, 905850602, 2019). Sections have the area that the strength asks for; their axes
    follow the axis's normal, whose sign changes where the curvature vanishes, and are longer along its
    binormal.
    """
    period = 2 * np.pi / periods
    phi = (np.arange(STEPS) + 0.5) * period / STEPS
    centre = _axis(phi, periods)
    normal, binormal = _frame(phi, periods)
    size = 1 / aspect / np.sqrt(1 + MIRROR * np.cos(periods * phi))[:, None, None]
    theta = np.arange(GRID) * 2 * np.pi / GRID
    long, short = np.sqrt(elongation), 1 / np.sqrt(elongation)
    across = long * np.cos(theta)[:, None] * binormal[:, None]
    across = across + short * np.sin(theta)[:, None] * normal[:, None]
    point = centre[:, None] + size * across
    toroidal = np.unwrap(np.arctan2(point[..., 1], point[..., 0]), axis=0)
    even = np.arange(GRID) * period / GRID

    def on_grid(values: np.ndarray) -> np.ndarray:
        lines = [
            np.interp(even, t, v, period=period) for t, v in zip(toroidal.T, values.T, strict=True)
        ]
        return np.stack(lines)

    r, z = on_grid(np.hypot(point[..., 0], point[..., 1])), on_grid(point[..., 2])
    m = np.arange(MODES + 1)[:, None, None, None]
    n = np.arange(-MODES, MODES + 1)[None, :, None, None]
    angle = m * theta[:, None] - periods * n * even
    weight = np.where((m == 0) & (n == 0), 1.0, 2.0)[..., 0, 0] * ~((m == 0) & (n < 0))[..., 0, 0]
    r_cos = weight * np.mean(r * np.cos(angle), (2, 3))
    z_sin = weight * np.mean(z * np.sin(angle), (2, 3))
    major = r_cos[0, MODES]
    z_sin[0, MODES] = 0.0
    return Boundary((r_cos / major).tolist(), (z_sin / major).tolist(), periods)


def _axis(phi: np.ndarray, periods: int) -> np.ndarray:
    """Cartesian points (len(phi), 3), m."""
    height = HELIX.get(periods, USUAL_HELIX)
    r = 1 - np.cos(2 * periods * phi) / (1 + 4 * periods**2)
    z = height * (np.sin(periods * phi) + TWIST * np.sin(2 * periods * phi))
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], -1)


def _frame(phi: np.ndarray, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal, signed to be continuous, and binormal, which points outwards where the period begins."""
    step = 1e-3
    before, here, after = (_axis(phi + shift, periods) for shift in (-step, 0.0, step))
    tangent = after - before
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    curvature = after - 2 * here + before
    curvature -= np.sum(curvature * tangent, 1, keepdims=True) * tangent
    normal = curvature / np.linalg.norm(curvature, axis=1, keepdims=True)
    normal[phi > np.pi / periods] *= -1
    binormal = np.cross(normal, tangent)
    outwards = binormal[0] @ np.array([np.cos(phi[0]), np.sin(phi[0]), 0.0])
    return normal * np.sign(outwards), binormal * np.sign(outwards)
