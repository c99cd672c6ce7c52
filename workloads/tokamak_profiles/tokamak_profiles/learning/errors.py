"""How far predictions are from solutions, in percent. Members come first: (members, rows, …)."""

import numpy as np

from tokamak_profiles.learning.rows import Rows


def ensemble_mean(predicted: np.ndarray) -> np.ndarray:
    """The ensemble's prediction: the geometric mean of its members' temperatures or powers."""
    mean: np.ndarray = np.exp(np.log(predicted).mean(axis=0))
    return mean


def row_errors(predicted: np.ndarray, rows: Rows) -> np.ndarray:
    """Of each row: root of the mean square of T predicted / T solved - 1 over both profiles, %."""
    relative = ensemble_mean(predicted) / rows.temperature - 1
    errors: np.ndarray = 100 * np.sqrt((relative**2).mean(axis=(1, 2)))
    return errors


def temperature_error(predicted: np.ndarray, rows: Rows) -> float:
    """Mean of `row_errors`; predicted: keV, (members, rows, 2, nodes)."""
    return float(row_errors(predicted, rows).mean())


def gain_error(powers: np.ndarray, rows: Rows) -> float:
    """Mean of |Q predicted / Q solved - 1|, which the heating power drops out of; powers: MW,
    (members, rows)."""
    return float(100 * np.abs(ensemble_mean(powers) / rows.fusion_power - 1).mean())


def spread(predicted: np.ndarray) -> float:
    """Mean standard deviation of ln T among the members."""
    return float(100 * np.log(predicted).std(axis=0, ddof=1).mean())


def coverage(predicted: np.ndarray, rows: Rows) -> float:
    """Part of the held-out temperatures within two standard deviations of the members; 95 % if the
    spread told the error."""
    logarithm = np.log(predicted)
    distance = np.abs(logarithm.mean(axis=0) - np.log(rows.temperature))
    return float(100 * (distance <= 2 * logarithm.std(axis=0, ddof=1)).mean())
