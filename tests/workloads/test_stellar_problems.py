"""The problems of the benchmark, as they state themselves."""

import pytest
from stellar_optimization.problems.catalog import PROBLEMS, problem_of
from stellar_optimization.problems.quasi_isodynamic import TARGETS, hypervolume


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.name)
def test_a_design_at_its_bounds_is_feasible_and_the_worst_bound_is_named(problem) -> None:
    limits = [bound.limit for bound in problem.bounds]
    assert problem.violation(limits) == 0.0
    beyond = [b.limit + 0.1 * b.scale * b.sign * (b is problem.bounds[1]) for b in problem.bounds]
    assert problem.violation(beyond) == pytest.approx(0.1)
    assert problem.worst(problem.violations(beyond)) == problem.bounds[1].title.lower()


def test_the_gentle_field_is_scored_by_its_gradient_length() -> None:
    problem = problem_of("simple_to_build")
    assert problem.score(-8.62) == pytest.approx(problem.published)
    assert problem.shown(-8.62) == 8.62


def test_each_search_for_the_stable_set_has_an_aspect_ratio_of_its_own() -> None:
    guards = [problem_of("mhd_stable", search).guards[-1] for search in range(len(TARGETS))]
    assert tuple(guard.limit for guard in guards) == TARGETS
    task = problem_of("mhd_stable", TARGETS.index(10.0))
    assert task.aimed_at([0.3, -3.6, 0.2, 0.8, 0.01, 12.0]) == pytest.approx(1.2)
    assert problem_of("geometrical").aimed_at([4.0]) == 0.0


def test_the_hypervolume_is_the_area_that_the_designs_dominate() -> None:
    assert hypervolume([]) == 0.0
    assert hypervolume([(4.0, 10.0)]) == pytest.approx(5 * 10)
    # The second adds a strip of 4 between lengths 4 and 8, as high as its aspect ratio leaves.
    assert hypervolume([(4.0, 10.0), (8.0, 12.0)]) == pytest.approx(5 * 10 + 4 * 8)
    assert hypervolume([(4.0, 10.0), (3.0, 11.0)]) == pytest.approx(50.0)
    assert hypervolume([(4.0, 21.0)]) == 0.0
