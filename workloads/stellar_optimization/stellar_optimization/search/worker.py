"""The Ray actor: one CPU core that searches or scores, as the driver says."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray

from stellar_optimization.problems.catalog import problem_of
from stellar_optimization.problems.design import Boundary
from stellar_optimization.problems.evaluator import OfficialEvaluator
from stellar_optimization.problems.problem import Problem
from stellar_optimization.search.compiled import keep_compiled, turn_to_compile
from stellar_optimization.search.state import WEIGHT_FACTORS

# Standard deviation of a seeded start, in scaled variables. A start near an axis has no equilibrium with
# every draw: then half of the same draw is tried, and so on.
DISTURBANCE = 0.01
HALVINGS = 3


@ray.remote(num_cpus=1)
class Worker:
    """Holds its searches between calls; scoring leaves them where they are."""

    def __init__(self, score_python: Path, score_seconds: float) -> None:
        _use_one_thread()
        keep_compiled()
        self._evaluator = OfficialEvaluator(score_python, score_seconds)
        self._models: dict[tuple[int, int, str], Any] = {}
        self._ready: set[tuple[int, int, str]] = set()  # models that are compiled or loaded
        self._searches: dict[int, Any] = {}
        self._search: Any = None  # the one under way

    def advance(
        self, state: dict[str, Any] | None, seed: int, work: int, search: int = 0
    ) -> dict[str, Any]:
        """Search on for about `work` solves; returns the state of the search as JSON data.

        `state` is that of a SearchState from which to go on, None for the search of this number that this
        worker holds. The first slice with some number of modes compiles, which takes much longer than the
        slice, or waits for another worker that does. `seed` other than 0 disturbs the very first boundary.
        """
        began = time.process_time()
        if state is not None:
            self._searches[search] = self._continued(state, seed)
        self._search = self._searches[search]
        report = self._report(self._advanced(work))
        return {**report, **self._solved(), "cpu": time.process_time() - began}

    def _advanced(self, work: int) -> Any:
        model = self._search.model
        key = _key(model.periods, model.modes, model.problem)
        if key in self._ready:
            return self._search.advance(work)
        with turn_to_compile("-".join(map(str, key))):
            progress = self._search.advance(work)
        self._ready.add(key)
        return progress

    def _solved(self) -> dict[str, Any]:
        """The slice's solves as the recorder takes them: `rows`, and Jacobians of earlier ones by solve."""
        from stellar_optimization.learn.rows import spread

        model, solved = self._search.model, self._search.take_solved()

        def table(answer: Any) -> list[float] | None:
            if answer.jacobian is None:
                return None
            return spread(answer.jacobian, model.scale, model.modes)

        rows = []
        for x, answer in solved.points:
            boundary, point = model.boundary(x), answer.screening
            rows.append(
                {
                    "solve": answer.solve,
                    "n_field_periods": boundary.n_field_periods,
                    "modes": model.modes,
                    "r_cos": [value for line in boundary.r_cos for value in line],
                    "z_sin": [value for line in boundary.z_sin for value in line],
                    "values": None if point is None else point.values.tolist(),
                    "jacobian": table(answer),
                }
            )
        late = {answer.solve: table(answer) for answer in solved.late}
        return {"rows": rows, "late_jacobians": late, "metrics": model.metrics}

    def _continued(self, state: dict[str, Any], seed: int) -> Any:
        from stellar_optimization.search import journal
        from stellar_optimization.search.linearised_search import LinearisedSearch
        from stellar_optimization.search.search import COUNTS, Progress, Search

        boundary = Boundary.from_json(state["boundary"])
        problem = problem_of(state["problem"], state["index"])
        model = self._model(boundary.n_field_periods, state["modes"], problem)
        nearer: list[np.ndarray] = []
        if state["origin"] is not None:
            x = np.array(state["x"])
        else:
            x = model.variables(boundary)
            if (seed or _repeats(state["index"], problem)) and state["stage"] == 0:
                random = np.random.default_rng([seed, state["index"]])
                drawn = random.normal(size=x.size) * DISTURBANCE
                x, *nearer = [x + drawn / 2**halved for halved in range(HALVINGS + 1)]
        progress = Progress(x, box=state["box"], **{name: state[name] for name in COUNTS})
        if state["origin"] is not None:
            progress.origin = np.array(state["origin"])
            progress.journal = journal.from_json(state["journal"])
            progress.sharpest = tuple(map(np.array, state["sharpest_point"]))
        kind = LinearisedSearch if problem.elastic else Search
        return kind(model, progress, state["weight"], nearer)

    def _model(self, periods: int, modes: int, problem: Problem) -> Any:
        """Compiled once: a search may come back to fewer modes, and others have only other limits."""
        from stellar_optimization.search.screening import ScreeningModel

        key = _key(periods, modes, problem)
        if key not in self._models:
            self._models[key] = ScreeningModel(periods, modes, problem)
        return self._models[key].of(problem)

    def _report(self, progress: Any) -> dict[str, Any]:
        from stellar_optimization.search import journal
        from stellar_optimization.search.search import COUNTS, merit

        found = progress.values is not None
        return {
            **self._design(progress.x, progress.values),
            "merit": merit(self._search.model.problem, progress.values) if found else None,
            "sharpest": self._design(*progress.sharpest) if progress.sharpest else None,
            "sharpest_point": [v.tolist() for v in progress.sharpest or ()],
            "box": progress.box,
            "settled": progress.settled,
            "x": progress.x.tolist(),
            "origin": None if progress.origin is None else progress.origin.tolist(),
            "journal": journal.to_json(progress.journal),
            **{name: getattr(progress, name) for name in COUNTS},
        }

    def _design(self, x: np.ndarray, values: np.ndarray | None) -> dict[str, Any]:
        from stellar_optimization.search.screening import TERMS

        shown = [] if values is None else values.tolist()
        return {
            "boundary": self._search.model.boundary(x).to_json(),
            "modes": self._search.model.modes,
            "objective": max(shown[:TERMS]) if shown else None,
            "shape": shown[TERMS:],
        }

    def prepare_to_score(self) -> None:
        self._evaluator.prepare()

    def score(self, boundary: dict[str, Any], fidelity: str, problem: str) -> dict[str, Any]:
        return self._evaluator.score(boundary, fidelity, problem)

    def field(self, boundary: dict[str, Any], theta: Any, phi: Any) -> Any:
        """The BoundaryField at the angles (rad) of two arrays of one shape."""
        from stellar_optimization.physics.field import boundary_field

        return boundary_field(Boundary.from_json(boundary), theta, phi)


def _key(periods: int, modes: int, problem: Problem) -> tuple[int, int, str]:
    """What a compiled model depends on."""
    return periods, modes, problem.name


def _use_one_thread() -> None:
    """One thread per worker, before JAX is imported: Ray counts on one core each.

    With several threads sums are rounded differently from run to run. numpy is loaded already, with
    the one thread that Ray asks for on behalf of actors of one core.
    """
    os.environ.update(
        OMP_NUM_THREADS="1",
        JAX_PLATFORMS="cpu",
        JAX_ENABLE_X64="1",
        XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    )


def _repeats(index: int, problem: Problem) -> bool:
    """Whether an earlier search has the same smoothness and aim: undisturbed it would take the same path."""
    return not problem.of_a_set and index >= len(WEIGHT_FACTORS)
