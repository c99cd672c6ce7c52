"""Where the searches of a loop begin, by kind: what is compared."""

import numpy as np

from stellar_optimization.learn.coefficients import features, tables
from stellar_optimization.learn.comparison import COLD
from stellar_optimization.learn.cost import Cost
from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.learn.episode import Episode
from stellar_optimization.problems.design import Boundary
from stellar_optimization.run.parameters import Parameters
from stellar_optimization.search.start import rotating_ellipse

SPARE = 20  # cold and proposed starts of an episode: many of them have no equilibrium
ASPECTS, ELONGATIONS, DISTURBANCE = (3.5, 8.0), (1.5, 4.0), 0.02  # of cold starts


def cold(parameters: Parameters, number: int) -> list[Episode]:
    """Round `number`'s searches from disturbed rotating ellipses."""
    return [
        Episode(number, COLD, i, _ellipses(parameters, number, i), f"{number}-{COLD}-{i:03d}")
        for i in range(parameters.starts)
    ]


def _ellipses(parameters: Parameters, number: int, start: int) -> list[dict[str, object]]:
    """As many as an episode may need."""
    random = np.random.default_rng([parameters.seed, number, start])
    periods, boundaries = parameters.ellipse_periods, []
    for _ in range(SPARE):
        ellipse = rotating_ellipse(periods, random.uniform(*ASPECTS), random.uniform(*ELONGATIONS))
        x = features(np.array([ellipse.r_cos]), np.array([ellipse.z_sin]), 2)
        x = x + random.normal(size=x.shape) * DISTURBANCE
        r_cos, z_sin = tables(x, 2)
        boundaries.append(Boundary(r_cos[0].tolist(), z_sin[0].tolist(), periods).to_json())
    return boundaries


def learnt(
    number: int, arm: str, inputs: np.ndarray, archive: Dataset, count: int
) -> list[Episode]:
    """Round `number`'s searches from designs (inputs, best first) that come of the archive.

    They are dealt out in turn. Origin of each is every search that was learnt from.
    """
    r_cos, z_sin = tables(inputs[:, :-1], archive.modes)
    boundaries = [
        Boundary(r.tolist(), z.tolist(), int(periods)).to_json()
        for r, z, periods in zip(r_cos, z_sin, inputs[:, -1], strict=True)
    ]
    families = sorted({str(name).split("/", 1)[1] for name in archive.lineage})
    return [
        Episode(number, arm, i, (boundaries[i::count] or boundaries), ",".join(families))
        for i in range(count)
    ]


def best_of_families(archive: Dataset, weight: float) -> np.ndarray:
    """Inputs of the best design of each family, best first; weight: of roughness."""
    cost = Cost(archive.metrics, archive.modes, weight)
    solved = archive.part(archive.solved)
    order = np.argsort(cost(solved.values, solved.inputs), kind="stable")
    _, first = np.unique(solved.lineage[order], return_index=True)
    best: np.ndarray = solved.inputs[order[np.sort(first)]]
    return best


def inputs_of(episodes: list[Episode], modes: int) -> np.ndarray:
    """Inputs (starts, features) of all their starts."""
    boundaries = [start for episode in episodes for start in episode.starts]
    r_cos = np.array([boundary["r_cos"] for boundary in boundaries])
    z_sin = np.array([boundary["z_sin"] for boundary in boundaries])
    periods = np.array([[boundary["n_field_periods"]] for boundary in boundaries], float)
    return np.concatenate([features(r_cos, z_sin, modes), periods], axis=1)
