"""The Ray actor: one CPU core that searches or scores, as the driver says."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import ray

from stellar_optimization.design import Boundary
from stellar_optimization.evaluator import OfficialEvaluator

DISTURBANCE = 0.01  # standard deviation of a seeded start, in scaled variables


@ray.remote(num_cpus=1)
class Worker:
    """Holds one search between calls; scoring leaves it where it is."""

    def __init__(self, index: int, score_python: Path, score_seconds: float) -> None:
        _use_one_thread()
        self._index = index
        self._evaluator = OfficialEvaluator(score_python, score_seconds)
        self._search: Any = None

    def begin(self, state: dict[str, Any], seed: int) -> dict[str, Any]:
        """Start a search from the boundary of a SearchState; `seed` 0 leaves the boundary as it is.

        Compiles, and so takes much longer than a slice of the search. Returns what `advance` does.
        """
        from stellar_optimization.screening import ScreeningModel
        from stellar_optimization.search import COUNTS, JACOBIAN_WORK, Search

        boundary = Boundary.from_json(state["boundary"])
        model = ScreeningModel(boundary.n_field_periods, state["modes"])
        x = model.variables(boundary)
        if seed:
            x = x + np.random.default_rng([seed, self._index]).normal(size=x.size) * DISTURBANCE
        counts = {name: state[name] for name in COUNTS}
        self._search = Search(model, x, state["weight"], state["box"], counts)
        return self.advance(1 + JACOBIAN_WORK)

    def advance(self, work: int) -> dict[str, Any]:
        """Search on for about `work` solves; returns the state of the search as JSON data."""
        from stellar_optimization.geometry import SECTIONS
        from stellar_optimization.search import COUNTS

        progress = self._search.advance(work)
        found = progress.values is not None
        values = progress.values.tolist() if found else []
        return {
            "boundary": self._search.model.boundary(progress.x).to_json(),
            "modes": self._search.model.modes,
            "merit": progress.merit if found else None,
            "elongation": max(values[:SECTIONS]) if found else None,
            "shape": values[SECTIONS:],
            "box": progress.box,
            "settled": progress.settled,
            **{name: getattr(progress, name) for name in COUNTS},
        }

    def score(self, boundary: dict[str, Any], fidelity: str) -> dict[str, Any]:
        return self._evaluator.score(boundary, fidelity)

    def field_strength(self, boundary: dict[str, Any], theta: Any, phi: Any) -> Any:
        """|B| / mean |B| on the boundary at the angles (rad) of two arrays of one shape."""
        from stellar_optimization.equilibrium import relative_field_strength

        return relative_field_strength(Boundary.from_json(boundary), theta, phi)


def _use_one_thread() -> None:
    """One thread per worker, before JAX is imported: Ray counts on one core each."""
    os.environ.update(
        OMP_NUM_THREADS="1",
        JAX_PLATFORMS="cpu",
        JAX_ENABLE_X64="1",
        XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    )
