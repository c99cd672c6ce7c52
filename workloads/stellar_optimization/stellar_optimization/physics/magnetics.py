"""Magnetic measures of a solved equilibrium, differentiable with JAX.

They follow what constellaration 0.2.6 measures at high fidelity, on fewer surfaces and points: the search
needs their derivatives, and the official evaluator has the last word.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

PLANES = 12  # toroidal planes on half a field period; as many as there are sections
POLOIDAL_POINTS = 24
FIELD_LINES = 24
LINE_POINTS = 201
LEAST_TURN = 0.2  # rotational transform per field period from which on lines are followed
TURN_POINTS = 64  # on a line, once around the short way
NEWTON_STEPS = 5  # to the angle in which a line is straight
STRENGTH_POINTS = 48  # poloidal and toroidal, for the strongest and weakest field
HIGHEST = 8  # poloidal mode in Boozer angles, and toroidal one per field period
LEVELS = 61  # field strengths between bottom and top of the magnetic well
FLAT = 1e-6  # slope that keeps a flattened well invertible

Angles = np.ndarray | jax.Array
_BOOZER_MODES = np.array(
    [(m, n) for m in range(HIGHEST + 1) for n in range(-HIGHEST if m else 0, HIGHEST + 1)]
).T


class Field:
    """The field's Fourier series at the boundary, from the quantities of a VMEC `wout`.

    Raw series are (modes, surfaces): on the full grid geometry, on the half grid (whose first column is
    empty) the field. Lengths in m, field in T, up to the sign of the enclosed flux.
    """

    def __init__(
        self, wout: Mapping[str, jax.Array], tables: tuple[np.ndarray, ...], periods: int
    ) -> None:
        """`tables`: xm, xn, xm_nyq, xn_nyq; n counts once around the torus."""
        self.wout, self.periods = wout, periods
        self.modes, self.fine_modes = tables[:2], tables[2:]
        self.spacing = 1.0 / (wout["rmnc"].shape[1] - 1)

    def edge(self, name: str) -> jax.Array:
        """A half-grid series extrapolated to the boundary, as VMEC does."""
        return 1.5 * self.wout[name][:, -1] - 0.5 * self.wout[name][:, -2]

    @property
    def iota(self) -> jax.Array:
        return self.wout["iotaf"][-1]


def vacuum_well(field: Field) -> jax.Array:
    """(V'(axis) - V'(edge)) / V'(axis) with V' = dV/ds, s the normalised toroidal flux."""
    slope = jnp.abs(field.wout["gmnc"][0, 1:])
    axis, edge = 1.5 * slope[0] - 0.5 * slope[1], 1.5 * slope[-1] - 0.5 * slope[-2]
    return (axis - edge) / axis


def edge_mirror_ratio(spectrum: jax.Array) -> jax.Array:
    """(max |B| - min |B|) / (max |B| + min |B|) on the boundary, of a `boozer_spectrum`."""
    angles = np.linspace(0, 2 * np.pi, STRENGTH_POINTS, endpoint=False)
    strength = _along_lines(spectrum, jnp.asarray(angles), jnp.asarray(angles), jnp.array(0.0))
    low, high = jnp.min(strength), jnp.max(strength)
    return (high - low) / (high + low)


def gradient_lengths(field: Field) -> jax.Array:
    """Least L_gradB of each of PLANES toroidal planes, over minor radius, times field periods.

    L_gradB = |B| sqrt(2) / |grad B| (Frobenius norm; J. Kappel, M. Landreman, D. Malhotra, Plasma Phys.
    Control. Fusion 66, 025018, 2024), at the boundary. Radial derivatives there by the evaluator's
    formulas, on this solve's coarser grid.
    """
    theta, phi = _half_period(field.periods)
    full = np.array([-1 / 3, 3 / 2, -3.0, 11 / 6]) / field.spacing
    half = np.array([-0.125, 1.375, -3.375, 2.125]) / field.spacing

    def geometry(name: str, sine: bool) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
        c = field.wout[name]
        return (
            _derivatives(c[:, -1], field.modes, theta, phi, sine),
            _derivatives(c[:, -4:] @ full, field.modes, theta, phi, sine),
        )

    def magnetic(name: str) -> tuple[dict[str, jax.Array], jax.Array]:
        c = field.wout[name]
        value = c[:, -3:] @ np.array([1 / 4, -1.0, 7 / 4])
        slope = _series(c[:, -4:] @ half, field.fine_modes, theta, phi)[0]
        return _derivatives(value, field.fine_modes, theta, phi, False), slope

    r, r_s = geometry("rmnc", False)
    z, z_s = geometry("zmns", True)
    b_t, b_t_s = magnetic("bsupumnc")
    b_p, b_p_s = magnetic("bsupvmnc")
    nothing = jnp.zeros_like(r[""])

    def vector(v: list[jax.Array]) -> jax.Array:
        return jnp.stack(v, -1)

    # Cylindrical components (R, phi, Z); d/dphi also turns the frame.
    e_s = vector([r_s[""], nothing, z_s[""]])
    e_t, e_p = vector([r["t"], nothing, z["t"]]), vector([r["p"], r[""], z["p"]])
    b = vector(
        [b_t[""] * r["t"] + b_p[""] * r["p"], b_p[""] * r[""], b_t[""] * z["t"] + b_p[""] * z["p"]]
    )

    def slope(bt: jax.Array, bp: jax.Array, dr: list[jax.Array], dz: list[jax.Array]) -> jax.Array:
        """d b, from those of the contravariant components and of (R, R_t, R_p) and (Z_t, Z_p)."""
        return vector(
            [
                bt * r["t"] + b_t[""] * dr[1] + bp * r["p"] + b_p[""] * dr[2],
                bp * r[""] + b_p[""] * dr[0],
                bt * z["t"] + b_t[""] * dz[0] + bp * z["p"] + b_p[""] * dz[1],
            ]
        )

    d_s = slope(b_t_s, b_p_s, [r_s[""], r_s["t"], r_s["p"]], [z_s["t"], z_s["p"]])
    d_t = slope(b_t["t"], b_p["t"], [r["t"], r["tt"], r["tp"]], [z["tt"], z["tp"]])
    d_p = slope(b_t["p"], b_p["p"], [r["p"], r["tp"], r["pp"]], [z["tp"], z["pp"]])
    d_p = d_p + vector([-b[..., 1], b[..., 0], nothing])
    frame, slopes = jnp.stack([e_s, e_t, e_p], -1), jnp.stack([d_s, d_t, d_p], -1)
    gradient = jnp.swapaxes(
        jnp.linalg.solve(jnp.swapaxes(frame, -1, -2), jnp.swapaxes(slopes, -1, -2)), -1, -2
    )
    strength, steepness = jnp.sum(b**2, -1), jnp.sum(gradient**2, (-1, -2))
    lengths = jnp.sqrt(2 * strength / steepness) / field.wout["Aminor_p"] * field.periods
    return jnp.min(lengths, 0)


def log10_qi_residual(spectrum: jax.Array, iota: jax.Array) -> jax.Array:
    """log10 of how far the boundary's field is from quasi-isodynamic, of a `boozer_spectrum`.

    `iota`: rotational transform per field period. A. G. Goodman et al., J. Plasma Phys. 89, 905890504
    (2023): along each field line |B| is squashed to one well, stretched to the same depth and shifted to
    the same width; the residual is the mean square of what that changes, |B| scaled to 0 to 1.
    """
    toroidal = spectrum.shape[1] // 2
    begin = jnp.where(spectrum[0, toroidal + 1] < 0, np.pi, 0.0)  # where the field is strong
    alpha = jnp.linspace(0, 2 * np.pi, FIELD_LINES, endpoint=False)
    along_period = jnp.linspace(0, 2 * np.pi, LINE_POINTS)
    strength = _along_lines(spectrum, alpha, along_period, iota, begin)
    low, high = jnp.min(strength), jnp.max(strength)
    strength = (strength - low) / (high - low)
    along = jnp.linspace(0, 1, LINE_POINTS)
    wells = jax.vmap(_well)(strength)
    levels = jnp.linspace(0, 1, LEVELS)
    left, right = jax.vmap(lambda well, bottom: _bounce_points(along, well, bottom, levels))(
        wells, jnp.argmin(strength, 1)
    )
    weights = 1 / (jnp.mean((strength - wells) ** 2, 1) + 1e-12)
    width = right - left
    excess = (width - (weights / jnp.sum(weights)) @ width) / 2
    left, right = left + excess, right - excess
    shuffled = jnp.concatenate([left[:, ::-1], right[:, 1:]], 1)
    ideal = jnp.concatenate([levels[::-1], levels[1:]])
    shuffled = jax.lax.cummax(shuffled, 1) + 1e-9 * jnp.arange(shuffled.shape[1])
    found = jax.vmap(lambda points: jnp.interp(along, points, ideal))(shuffled)
    return jnp.log10(jnp.mean((found - strength) ** 2) + 1e-12)


def flux_compression(field: Field) -> jax.Array:
    """Mean of |grad r|^2 where the curvature is bad, r = a sqrt(s), on the surface s = 0.49.

    As the evaluator's proxy of turbulence, bad being (B x grad |B|) . grad alpha > 0 with the line's label
    alpha = theta + lambda - iota phi, but with a smooth step. It is measured on lines that begin within a
    field period and go once around the short way. There alpha grows by shear, and so does what is bad.
    """
    wout = field.wout
    place = 0.49 / field.spacing
    full, half = int(place), int(place + 0.5)

    def on_full(name: str) -> tuple[jax.Array, jax.Array]:
        c = wout[name]
        part = place - full
        slope = (c[:, full + 1] - c[:, full]) / field.spacing
        return (1 - part) * c[:, full] + part * c[:, full + 1], slope

    def on_half(name: str) -> tuple[jax.Array, jax.Array]:
        c = wout[name]
        part = place + 0.5 - half
        slope = (c[:, half + 1] - c[:, half]) / field.spacing
        return (1 - part) * c[:, half] + part * c[:, half + 1], slope

    iotas = wout["iotaf"]
    shear = (iotas[full + 1] - iotas[full]) / field.spacing
    iota = iotas[full] + 0.49 * shear - full * field.spacing * shear
    lam_value, lam_slope = on_full("lmns_full")
    theta, phi = _on_lines(field, lam_value, iota)
    r = _derivatives(on_full("rmnc")[0], field.modes, theta, phi, False)
    z = _derivatives(on_full("zmns")[0], field.modes, theta, phi, True)
    lam = _derivatives(lam_value, field.modes, theta, phi, True)
    lam_s = _derivatives(lam_slope, field.modes, theta, phi, True)[""] - phi * shear
    b_value, b_slope = on_half("bmnc")
    b = _derivatives(b_value, field.fine_modes, theta, phi, False)
    b_s = _series(b_slope, field.fine_modes, theta, phi)[0]
    bu, bv, root = (
        _series(on_half(name)[0], field.fine_modes, theta, phi)[0]
        for name in ("bsubumnc", "bsubvmnc", "gmnc")
    )
    bs = _derivatives(on_full("bsubsmns")[0], field.fine_modes, theta, phi, True)[""]
    drift = (
        (bu * b["p"] - bv * b["t"]) * lam_s
        + (bv * b_s - bs * b["p"]) * (1 + lam["t"])
        + (bs * b["t"] - bu * b_s) * (lam["p"] - iota)
    ) / root
    drift = drift * jnp.sign(wout["phipf"][-1])
    bad = jax.nn.sigmoid(drift / (0.05 * jnp.sqrt(jnp.mean(drift**2))))
    steep = r[""] ** 2 * (r["t"] ** 2 + z["t"] ** 2) + (r["p"] * z["t"] - r["t"] * z["p"]) ** 2
    steep = wout["Aminor_p"] ** 2 / (4 * 0.49) * steep / root**2
    return jnp.mean(bad * steep * jnp.abs(root)) / jnp.mean(jnp.abs(root))


def _on_lines(field: Field, lam: jax.Array, iota: jax.Array) -> tuple[jax.Array, jax.Array]:
    """VMEC angles (rad), each (FIELD_LINES, TURN_POINTS), on one half of the lines; the other mirrors them.

    theta + lambda is even along each line, from -pi to pi; Newton's method finds theta. With hardly any
    transform a line would be endless and what is measured on it noise: such a field gets shorter ones.
    """
    alpha = (np.arange(FIELD_LINES) + 0.5)[:, None] * np.pi / field.periods / FIELD_LINES
    straight = (np.arange(TURN_POINTS) + 0.5) * 2 * np.pi / TURN_POINTS - np.pi
    turn = jnp.where(iota < 0, -1.0, 1.0) * jnp.maximum(jnp.abs(iota), LEAST_TURN * field.periods)
    phi = (straight - alpha) / turn

    def better(theta: jax.Array, lam: jax.Array, phi: jax.Array) -> jax.Array:
        known = _derivatives(lam, field.modes, theta, phi, True)
        return theta - (theta + known[""] - straight) / (1 + known["t"])

    theta = jnp.broadcast_to(straight, phi.shape)
    fixed = jax.lax.stop_gradient((lam, phi))
    for _ in range(NEWTON_STEPS):
        theta = better(theta, *fixed)
    # One more step from a root has the root's derivative.
    return better(jax.lax.stop_gradient(theta), lam, phi), phi


def _well(strength: jax.Array) -> jax.Array:
    """Squashed and stretched: falls from 1 to 0 and rises to 1, with flat steps for local humps."""
    place = jnp.arange(strength.size)
    bottom = jnp.argmin(strength)

    def side(values: jax.Array, inside: jax.Array) -> jax.Array:
        """Cumulative minimum from the outer end (index 0) inwards."""
        top = jnp.argmax(jnp.where(inside, values, -jnp.inf))
        lifted = jnp.where(place < top, values[top], values)
        fallen = jax.lax.cummin(lifted)
        lowest = strength[bottom]
        return (fallen - lowest) / (fallen[0] - lowest + 1e-9)

    left = side(strength, place <= bottom)
    right = side(strength[::-1], place[::-1] >= bottom)[::-1]
    return jnp.where(place <= bottom, left, right)


def _bounce_points(
    along: jax.Array, well: jax.Array, bottom: jax.Array, levels: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Where the well crosses each level, left and right of its bottom."""
    away = FLAT * jnp.abs(jnp.arange(along.size) - bottom)
    rising = jnp.arange(along.size) >= bottom
    right_well = jnp.where(rising, well + away, -away)
    left_well = jnp.where(rising, -away, well + away)
    left = jnp.interp(levels, left_well[::-1], along[::-1])
    return left, jnp.interp(levels, right_well, along)


def boozer_series(field: Field) -> jax.Array:
    """Coefficients of cos(m theta - n phi) of |B| on the boundary in Boozer angles, by _BOOZER_MODES.

    See field.boundary_field.
    """
    m, n = field.fine_modes
    bsubu, bsubv = field.edge("bsubumnc"), field.edge("bsubvmnc")
    constant = (m == 0) & (n == 0)
    where = int(np.argmax(constant))
    current_i, current_g = bsubu[where], bsubv[where]
    by_m, by_n = (
        np.where(m != 0, 1 / np.where(m == 0, 1, m), 0),
        np.where((m == 0) & (n != 0), -1 / np.where(n == 0, 1, n), 0),
    )
    w = bsubu * by_m + bsubv * by_n
    u, v = np.meshgrid(
        np.linspace(0, 2 * np.pi, 40, endpoint=False),
        np.linspace(0, 2 * np.pi / field.periods, 48, endpoint=False),
        indexing="ij",
    )
    lam = _derivatives(field.wout["lmns_full"][:, -1], field.modes, u, v, True)
    wave = _derivatives(w, field.fine_modes, u, v, True)
    scale = current_g + field.iota * current_i
    nu, nu_t, nu_p = ((wave[d] - current_i * lam[d]) / scale for d in ("", "t", "p"))
    angle_t, angle_p = u + lam[""] + field.iota * nu, v + nu
    area = (1 + lam["t"]) * (1 + nu_p) + field.iota * nu_t - nu_t * lam["p"]
    strength = _series(field.edge("bmnc"), field.fine_modes, u, v)[0]
    weight = (strength * area).ravel() / u.size
    turn_t = jnp.arange(HIGHEST + 1)[:, None] * angle_t.ravel()
    turn_p = field.periods * jnp.arange(-HIGHEST, HIGHEST + 1)[:, None] * angle_p.ravel()
    # By cos(a - b) = cos a cos b + sin a sin b: derivatives of all modes at all points took most of a step.
    mean = (weight * jnp.cos(turn_t)) @ jnp.cos(turn_p).T
    mean = mean + (weight * jnp.sin(turn_t)) @ jnp.sin(turn_p).T
    bm, bn = _BOOZER_MODES
    factor = np.where((bm == 0) & (bn == 0), 1.0, 2.0)
    return factor * mean[bm, bn + HIGHEST]


def boozer_spectrum(series: jax.Array) -> jax.Array:
    """A `boozer_series` as a table (m from 0, n from -HIGHEST)."""
    bm, bn = _BOOZER_MODES
    return jnp.zeros((HIGHEST + 1, 2 * HIGHEST + 1)).at[bm, bn + HIGHEST].set(series)


def _along_lines(
    spectrum: jax.Array,
    alpha: jax.Array,
    along: jax.Array,
    iota: jax.Array,
    begin: jax.Array | float = 0.0,
) -> jax.Array:
    """|B| (lines, points) where theta = alpha + iota * along, and phi per field period = begin + along."""
    m = jnp.arange(spectrum.shape[0])[:, None]
    n = jnp.arange(spectrum.shape[1])[:, None] - spectrum.shape[1] // 2
    even = spectrum @ jnp.cos(n * (begin + along))
    odd = spectrum @ jnp.sin(n * (begin + along))
    turn = m * iota * along
    cosine = jnp.cos(turn) * even + jnp.sin(turn) * odd
    sine = jnp.sin(turn) * even - jnp.cos(turn) * odd
    return jnp.cos(m * alpha).T @ cosine - jnp.sin(m * alpha).T @ sine


def _half_period(periods: int) -> tuple[np.ndarray, np.ndarray]:
    """VMEC angles (rad), each (POLOIDAL_POINTS, PLANES), of half a field period."""
    theta, phi = np.meshgrid(
        np.linspace(0, 2 * np.pi, POLOIDAL_POINTS, endpoint=False),
        np.linspace(0, np.pi / periods, PLANES),
        indexing="ij",
    )
    return theta, phi


def _series(
    c: jax.Array, modes: tuple[np.ndarray, ...], theta: Angles, phi: Angles
) -> tuple[jax.Array]:
    angle = jnp.multiply.outer(modes[0], theta) - jnp.multiply.outer(modes[1], phi)
    return (jnp.tensordot(c, jnp.cos(angle), 1),)


def _derivatives(
    c: jax.Array, modes: tuple[np.ndarray, ...], theta: Angles, phi: Angles, sine: bool
) -> dict[str, jax.Array]:
    """A cosine or sine series and its derivatives by theta (t) and phi (p), up to the second."""
    m, n = modes
    angle = jnp.multiply.outer(m, theta) - jnp.multiply.outer(n, phi)
    wave, turned = (jnp.sin(angle), jnp.cos(angle)) if sine else (jnp.cos(angle), -jnp.sin(angle))

    def total(factor: np.ndarray | float, kind: jax.Array) -> jax.Array:
        return jnp.tensordot(c * factor, kind, 1)

    return {
        "": total(1.0, wave),
        "t": total(m, turned),
        "p": total(-n, turned),
        "tt": total(-m * m, wave),
        "tp": total(m * n, wave),
        "pp": total(-n * n, wave),
    }
