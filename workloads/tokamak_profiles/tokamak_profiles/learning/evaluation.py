"""What the trained ensemble knows: held-out rows, the scenario, and a map of the fusion gain.

Without JAX: the scenario and some points of the map are solved as one batch more of rows, and what is to
be predicted is asked of the networks while they are trained.
"""

from dataclasses import dataclass

import numpy as np

from tokamak_profiles.job.parameters import Parameters, domain
from tokamak_profiles.learning.errors import ensemble_mean
from tokamak_profiles.learning.rows import BATCH, Rows

MAP_POINTS = 33  # of the map, in each direction
CHECKS = 5  # of the map's points in each direction that are solved too
HEATING, PEDESTAL = 0, 6  # the map's two axes, as parts of an operating point


@dataclass(frozen=True)
class Evaluation:
    """Members come first; temperatures in keV on the nodes, powers in MW."""

    held_out: np.ndarray  # temperature, (members, rows, 2, nodes)
    held_out_power: np.ndarray  # (members, rows)
    scenario: Rows  # the scenario, solved: one row
    scenario_temperature: np.ndarray  # (members, 2, nodes)
    scenario_power: np.ndarray  # (members,)
    heating: np.ndarray  # MW, (n,)
    pedestal: np.ndarray  # keV, (n,)
    gain: np.ndarray  # predicted, (pedestal, heating)
    checked: Rows  # some points of the map, solved


def to_solve(given: Parameters) -> np.ndarray:
    """The scenario and the map's checks, filled up to a batch of rows, (BATCH, 8)."""
    scenario = _scenario(given)
    _, _, checks = _map(scenario[0], CHECKS)
    asked = np.concatenate([scenario, checks])
    return np.concatenate([asked, np.repeat(scenario, BATCH - len(asked), axis=0)])


def to_predict(rows: Rows, given: Parameters) -> np.ndarray:
    """Held-out points, the scenario, the map's points, (points, 8)."""
    scenario = _scenario(given)
    return np.concatenate([rows.held_out().points, scenario, _map(scenario[0], MAP_POINTS)[2]])


def evaluate(
    rows: Rows, solved: Rows, temperature: np.ndarray, power: np.ndarray, given: Parameters
) -> Evaluation:
    """From what was solved of `to_solve` and predicted of `to_predict`, members first."""
    heating, pedestal, grid = _map(_scenario(given)[0], MAP_POINTS)
    scenario = len(rows.held_out().points)  # its place
    gain = ensemble_mean(power[:, scenario + 1 :]) / grid[:, HEATING]
    return Evaluation(
        temperature[:, :scenario],
        power[:, :scenario],
        solved.chosen(np.array([0])),
        temperature[:, scenario],
        power[:, scenario],
        heating,
        pedestal,
        gain.reshape(MAP_POINTS, MAP_POINTS),
        solved.chosen(np.arange(1, 1 + CHECKS**2)),
    )


def _scenario(given: Parameters) -> np.ndarray:
    return np.array([given.scenario], dtype=np.float32)


def _map(scenario: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heating powers, pedestal temperatures, and the scenario at all pairs of them, (pairs, 8)."""
    heating, pedestal = (np.linspace(*domain()[axis], count) for axis in (HEATING, PEDESTAL))
    points = np.repeat(scenario[None], count**2, axis=0)
    points[:, PEDESTAL] = np.repeat(pedestal, count)
    points[:, HEATING] = np.tile(heating, count)
    return heating, pedestal, points
