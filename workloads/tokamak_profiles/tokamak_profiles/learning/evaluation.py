"""What the trained ensemble knows: held-out rows, the scenario, and a map of the fusion gain."""

from dataclasses import dataclass

import numpy as np
import ray

from tokamak_profiles.job.parameters import Parameters, domain
from tokamak_profiles.learning.errors import ensemble_mean
from tokamak_profiles.learning.rows import BATCH, Rows, solve_rows

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


@ray.remote(num_cpus=1)
def evaluate(rows: Rows, members: list[bytes], given: Parameters) -> Evaluation:
    """Predict and, where it is to be compared, solve."""
    from tokamak_profiles.learning.network import Learner, fusion_powers

    learners = []
    for content in members:
        learner = Learner(rows.training(), given.hidden, given.updates, (given.seed, 0))
        learner.load(content)
        learners.append(learner)

    def predict(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        temperature = np.stack([learner.temperature(points) for learner in learners])
        return temperature, np.stack([fusion_powers(points, one) for one in temperature])

    scenario = np.array([given.scenario], dtype=np.float32)
    heating, pedestal, grid = _map(scenario[0], MAP_POINTS)
    _, _, checks = _map(scenario[0], CHECKS)
    asked = np.concatenate([scenario, checks])
    filled = np.concatenate([asked, np.repeat(scenario, BATCH - len(asked), axis=0)])
    solved = solve_rows(filled)
    held_out, held_out_power = predict(rows.held_out().points)
    temperature, power = predict(scenario)
    gain = ensemble_mean(predict(grid)[1]) / grid[:, HEATING]
    return Evaluation(
        held_out,
        held_out_power,
        solved.chosen(np.array([0])),
        temperature[:, 0],
        power[:, 0],
        heating,
        pedestal,
        gain.reshape(MAP_POINTS, MAP_POINTS),
        solved.chosen(np.arange(1, len(asked))),
    )


def _map(scenario: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heating powers, pedestal temperatures, and the scenario at all pairs of them, (pairs, 8)."""
    heating, pedestal = (np.linspace(*domain()[axis], count) for axis in (HEATING, PEDESTAL))
    points = np.repeat(scenario[None], count**2, axis=0)
    points[:, PEDESTAL] = np.repeat(pedestal, count)
    points[:, HEATING] = np.tile(heating, count)
    return heating, pedestal, points
