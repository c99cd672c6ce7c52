"""Boundary coefficients as a vector of fixed order, whatever number of modes a boundary has."""

import numpy as np

SCALE_DECAY = 1.5  # as in the screening model: features are coefficients over exp(-1.5 (order - 1))


def free_modes(modes: int) -> tuple[np.ndarray, np.ndarray]:
    """m and n of the coefficients that a search varies: all but m = 0 with n <= 0, row by row."""
    m, n = np.meshgrid(np.arange(modes + 1), np.arange(-modes, modes + 1), indexing="ij")
    free = (m > 0) | (n > 0)
    return m[free], n[free]


def feature_scale(modes: int) -> np.ndarray:
    """What features have been divided by (2 free,): first those of r_cos, then those of z_sin."""
    m, n = free_modes(modes)
    return np.tile(np.exp(-SCALE_DECAY * (np.maximum(m, abs(n)) - 1)), 2)


def features(r_cos: np.ndarray, z_sin: np.ndarray, modes: int) -> np.ndarray:
    """Scaled coefficients (boundaries, 2 free) of tables (boundaries, own + 1, 2 own + 1), R_00 = 1.

    Modes that the tables lack are 0; those beyond `modes` are dropped.
    """
    own = r_cos.shape[1] - 1
    kept = min(own, modes)
    m, n = free_modes(modes)
    major = r_cos[:, 0, own][:, None, None]
    parts = []
    for table in (r_cos, z_sin):
        wide = np.zeros((len(table), modes + 1, 2 * modes + 1))
        inner = np.s_[:, : kept + 1, own - kept : own + kept + 1]
        wide[:, : kept + 1, modes - kept : modes + kept + 1] = (table / major)[inner]
        parts.append(wide[:, m, n + modes])
    return np.concatenate(parts, axis=1) / feature_scale(modes)


def tables(vectors: np.ndarray, modes: int) -> tuple[np.ndarray, np.ndarray]:
    """r_cos and z_sin (boundaries, modes + 1, 2 modes + 1) of feature vectors; the inverse of `features`."""
    m, n = free_modes(modes)
    both = np.zeros((2, len(vectors), modes + 1, 2 * modes + 1))
    halves = np.split(vectors * feature_scale(modes), 2, axis=1)
    for table, half in zip(both, halves, strict=True):
        table[:, m, n + modes] = half
    both[0, :, 0, modes] = 1.0
    return both[0], both[1]
