"""A search through the surrogate for boundaries from which the real search may begin.

No solve is spent: a hundred thousand boundaries are predicted in a second or two of one core.
"""

from dataclasses import dataclass

import numpy as np

from stellar_optimization.learn.cost import Cost
from stellar_optimization.learn.surrogate import Surrogate

GENERATIONS = 4
ELITE = 256  # candidates of a generation from which the next one is bred
NOISE = (0.003, 0.1)  # least and largest standard deviation of a mutation, in scaled coefficients
CAUTION = 1.0  # standard deviations of the members' costs that a candidate's cost is raised by
UNSOLVED = 8.0  # cost of no equilibrium, times its probability
APART = 0.15  # least distance of two starts, in scaled coefficients


@dataclass(frozen=True)
class Proposal:
    """A start. inputs: (features,), with field periods last; cost and solved as the surrogate sees them."""

    inputs: np.ndarray
    cost: float
    solved: float


def propose(
    surrogate: Surrogate,
    cost: Cost,
    archive: np.ndarray,
    cold: np.ndarray,
    count: int,
    starts: int,
    seed: int,
) -> list[Proposal]:
    """`starts` diverse boundaries of low predicted cost, best first, out of `count` candidates.

    cost: of metrics (..., metrics) and inputs (rows, features), smaller is better; archive: inputs of solved
    boundaries; cold: inputs of starts as one would draw them without a surrogate. The first generation
    disturbs both; each of the others mixes and disturbs the best so far.
    """
    random = np.random.default_rng([seed, 7])
    share = count // GENERATIONS
    parents = np.concatenate([archive, cold])
    best, costs, chances = np.zeros((0, parents.shape[1])), np.zeros(0), np.zeros(0)
    for _ in range(GENERATIONS):
        fresh = _bred(parents, share, random)
        value, chance = _judge(surrogate, cost, fresh)
        best, costs = np.concatenate([best, fresh]), np.concatenate([costs, value])
        chances = np.concatenate([chances, chance])
        order = np.argsort(costs, kind="stable")[: max(ELITE, 64 * starts)]
        best, costs, chances = best[order], costs[order], chances[order]
        parents = best[:ELITE]
    chosen = _apart(best, starts)
    return [Proposal(best[i], float(costs[i]), float(chances[i])) for i in chosen]


def _judge(surrogate: Surrogate, cost: Cost, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cautious cost and chance of an equilibrium (rows,) each."""
    predicted = surrogate.predict(inputs)
    costs = cost(surrogate.scaling.values(predicted.members), inputs)
    value = costs.mean(0) + CAUTION * costs.std(0) + UNSOLVED * (1 - predicted.solved)
    return value, predicted.solved


def _bred(parents: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Mixtures of two parents of the same number of field periods, disturbed."""
    first = parents[random.integers(len(parents), size=count)]
    second = parents[random.integers(len(parents), size=count)]
    weight = random.uniform(size=(count, 1)) * (random.uniform(size=(count, 1)) < 0.5)
    weight = weight * (first[:, -1:] == second[:, -1:])
    least, largest = np.log(NOISE)
    size = np.exp(random.uniform(least, largest, size=(count, 1)))
    children = first + weight * (second - first)
    used = np.any(parents[:, :-1] != 0, axis=0)  # modes that nobody has stay away
    children[:, :-1] += size * random.normal(size=children[:, :-1].shape) * used
    return children


def _apart(ordered: np.ndarray, starts: int) -> list[int]:
    """The first boundaries that are APART from each other; closer ones if there are no others."""
    distance = APART
    while True:
        chosen: list[int] = []
        for index, inputs in enumerate(ordered):
            if len(chosen) == starts:
                return chosen
            gaps = np.linalg.norm(ordered[chosen][:, :-1] - inputs[:-1], axis=1)
            if np.all(gaps >= distance):
                chosen.append(index)
        if len(chosen) == starts or distance < 1e-6:
            return chosen
        distance /= 2
