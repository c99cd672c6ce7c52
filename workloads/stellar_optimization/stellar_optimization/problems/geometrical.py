"""P1 of the ConStellaration benchmark (GeometricalProblem of constellaration 0.2.6)."""

MAX_ASPECT = 4.0
MAX_TRIANGULARITY = -0.5
MIN_IOTA = 0.3  # edge rotational transform per field period
TOLERANCE = 0.01  # largest normalised violation that still counts as feasible
PUBLISHED_SCORE = 0.969  # ALM-NGOpt, the benchmark paper's table


def violations(aspect: float, triangularity: float, iota: float) -> list[float]:
    """Normalised constraint violations, negative inside the bounds."""
    return [
        (aspect - MAX_ASPECT) / MAX_ASPECT,
        (triangularity - MAX_TRIANGULARITY) / abs(MAX_TRIANGULARITY),
        (MIN_IOTA - iota) / MIN_IOTA,
    ]


def violation(aspect: float, triangularity: float, iota: float) -> float:
    """Largest normalised constraint violation; feasible up to TOLERANCE, negative inside."""
    return max(violations(aspect, triangularity, iota))


def score(elongation: float) -> float:
    """The benchmark's score of a feasible design: 1 for round sections, 0 from elongation 10."""
    return 1.0 - min(max((elongation - 1.0) / 9.0, 0.0), 1.0)
