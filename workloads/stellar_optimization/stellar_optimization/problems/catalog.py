"""The problems by name. To add one, write its file and name it here and in workload.yaml."""

from stellar_optimization.problems.geometrical import GEOMETRICAL
from stellar_optimization.problems.problem import Problem
from stellar_optimization.problems.quasi_isodynamic import (
    MHD_STABLE,
    SIMPLE_TO_BUILD,
    TARGETS,
    with_aspect,
)

PROBLEMS = {p.name: p for p in (GEOMETRICAL, SIMPLE_TO_BUILD, MHD_STABLE)}


def problem_of(name: str, search: int = 0) -> Problem:
    """The problem as the search with this number has it; KeyError for an unknown name."""
    problem = PROBLEMS[name]
    if problem is MHD_STABLE:
        return with_aspect(problem, TARGETS[search % len(TARGETS)])
    return problem


def searches_of(problem: Problem, workers: int) -> list[int]:
    """For each search which of the problem's variants of smoothness it is, from 0.

    One search per worker, each with another smoothness; where a set of designs is asked for, at least one
    per member of the set, however few workers share them.
    """
    if problem.of_a_set:
        return [index // len(TARGETS) for index in range(max(workers, len(TARGETS)))]
    return list(range(workers))
