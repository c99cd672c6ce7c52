"""The official evaluator, run by the `score` environment's Python; the only module that runs there.

    python -m stellar_optimization.problems.score designs/coarse.json                 # the benchmark's score
    python -m stellar_optimization.problems.score --fidelity low designs/coarse.json
    python -m stellar_optimization.problems.score --problem simple_to_build design.json
    python -m stellar_optimization.problems.score --problem mhd_stable designs.json   # a set
    python -m stellar_optimization.problems.score --serve                            # requests on stdin

With --serve each line of stdin is `{"boundary": ..., "fidelity": "low" | "high", "problem": name,
"limit": CPU seconds}` and is answered by one line on stdout: objective, metrics (all that the evaluator
measures), violations (normalised, as problems.catalog orders the bounds), feasible, score, error,
evaluator, fidelity, seconds and cpu_seconds. Past its limit the process is ended: a limit of CPU time is the
same on a busy machine.
"""

import argparse
import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stellar_optimization.problems.catalog import PROBLEMS
from stellar_optimization.problems.quasi_isodynamic import hypervolume

FIDELITIES = ("high", "low")


def evaluate(
    boundary: dict[str, Any], fidelity: str, problem: str = "geometrical"
) -> dict[str, Any]:
    """Official result for a boundary in the leaderboard's format.

    `high` is what the problem's `evaluate` of constellaration 0.2.6 does, and so the benchmark's
    score (of this design alone, where the problem is about a set); `low` is its default, coarser
    setting. Both without the parts that the problem does not use. A boundary that the evaluator cannot
    solve has no score, and `error` says why.
    """
    from constellaration import forward_model, problems
    from constellaration.geometry import surface_rz_fourier

    stated = PROBLEMS[problem]
    official = getattr(problems, stated.evaluator)()
    started, cpu = time.monotonic(), time.process_time()
    result: dict[str, Any] = {
        "evaluator": f"constellaration {version('constellaration')}, vmecpp {version('vmecpp')}",
        "fidelity": fidelity,
        "objective": None,
        "metrics": None,
        "violations": None,
        "feasible": False,
        "score": None,
        "error": None,
    }
    try:
        surface = surface_rz_fourier.SurfaceRZFourier.model_validate(boundary)
        settings = _settings(forward_model.ConstellarationSettings, official, fidelity)
        metrics, _ = forward_model.forward_model(surface, settings=settings)
    except (
        Exception
    ) as error:  # the solver has no exception of its own; no equilibrium is an answer
        result["error"] = f"{type(error).__name__}: {error}"[:200]
    else:
        feasible = official.is_feasible(metrics)
        violations = official._normalized_constraint_violations(metrics)
        of_one = [metrics] if stated.of_a_set else metrics
        objective = (
            official.get_objectives(metrics) if stated.of_a_set else official.get_objective(metrics)
        )
        result["objective"] = float(objective[0][0] if stated.of_a_set else objective[0])
        result["metrics"] = {
            name: float(value)
            for name, value in metrics.model_dump().items()
            if value is not None and math.isfinite(float(value))
        }
        result["violations"] = [float(value) for value in violations]
        result["feasible"] = bool(feasible)
        result["score"] = float(official._score(of_one)) if feasible else 0.0
    took, used = time.monotonic() - started, time.process_time() - cpu
    return {**result, "seconds": round(took, 1), "cpu_seconds": round(used, 1)}


def _settings(choose: Any, official: Any, fidelity: str) -> Any:
    """Settings of the forward model, without what the problem does not measure."""
    if official._does_it_require_qi:
        return choose.default_high_fidelity() if fidelity == "high" else choose()
    if fidelity == "high":
        return choose.default_high_fidelity_skip_qi()
    return choose(boozer_preset_settings=None, qi_settings=None, turbulent_settings=None)


def _end_with_parent() -> None:
    """Ask Linux to end this process with its parent: a killed worker cannot do it any more."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _limit_cpu(seconds: float) -> None:
    """Have this process ended by SIGXCPU when it uses that much from now on."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), most))


def _serve() -> None:
    _end_with_parent()
    # The solver writes to stdout from C++; only answers may go there.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # Importing takes longer than a coarse solve, and no limit may count it.
    from constellaration import forward_model, problems  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        _limit_cpu(request["limit"])
        answers.write(
            json.dumps(evaluate(request["boundary"], request["fidelity"], request["problem"]))
            + "\n"
        )


def _score_set(name: str, designs: list[Any], fidelity: str, problem: str) -> None:
    """A line for each design of a set, objects or the leaderboard's strings, and one for all together."""
    results = []
    for number, design in enumerate(designs):
        boundary = json.loads(design) if isinstance(design, str) else design
        result = evaluate(boundary, fidelity, problem)
        print(json.dumps({"design": f"{name}[{number}]", **result}), flush=True)
        results.append(result)
    feasible = [
        (result["objective"], result["metrics"]["aspect_ratio"])
        for result in results
        if result["feasible"]
    ]
    together = {"designs": len(results), "feasible": len(feasible), "score": hypervolume(feasible)}
    print(json.dumps({"design": name, **together}))


def main() -> None:
    parser = argparse.ArgumentParser(description="Score designs with the official evaluator.")
    parser.add_argument("designs", nargs="*", type=Path)
    parser.add_argument("--fidelity", choices=FIDELITIES, default="high")
    parser.add_argument("--problem", choices=PROBLEMS, default="geometrical")
    parser.add_argument("--serve", action="store_true", help="answer requests on stdin")
    options = parser.parse_args()
    if options.serve:
        _serve()
    for path in options.designs:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, list):
            if not PROBLEMS[options.problem].of_a_set:
                parser.error(f"{path}: a list of designs; --problem {options.problem} takes one")
            _score_set(path.name, content, options.fidelity, options.problem)
            continue
        result = evaluate(content.get("boundary", content), options.fidelity, options.problem)
        print(json.dumps({"design": path.name, **result}))


if __name__ == "__main__":
    main()
