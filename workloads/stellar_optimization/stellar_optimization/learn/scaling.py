"""From physical units to what a network sees, and back."""

from dataclasses import dataclass

import numpy as np

from stellar_optimization.learn.dataset import Dataset
from stellar_optimization.learn.sections import section_features

WIDE = 2.0  # positive metrics that span a larger factor than this are learnt by their logarithm


@dataclass(frozen=True)
class Scaling:
    """Means and standard deviations over the rows that are learnt from.

    inputs: (features,) each; sections: of the section features; targets: (metrics,) each, of the logarithm
    where `logarithmic`.
    """

    input_mean: np.ndarray
    input_deviation: np.ndarray
    section_mean: np.ndarray
    section_deviation: np.ndarray
    target_mean: np.ndarray
    target_deviation: np.ndarray
    logarithmic: np.ndarray

    @classmethod
    def of(cls, rows: Dataset) -> "Scaling":
        values = rows.values[rows.solved]
        low, high = values.min(0), values.max(0)
        logarithmic = (low > 0) & (high > WIDE * low)
        targets = _logarithms(values, logarithmic)
        sections = section_features(rows.inputs, rows.modes)
        return cls(
            rows.inputs.mean(0),
            _at_least(rows.inputs.std(0)),
            sections.mean(0),
            _at_least(sections.std(0)),
            targets.mean(0),
            _at_least(targets.std(0)),
            logarithmic,
        )

    def frozen(self) -> dict[str, np.ndarray]:
        """What the network's first, fixed layer divides by."""
        names = ("input_mean", "input_deviation", "section_mean", "section_deviation")
        return {name: getattr(self, name).astype(np.float32) for name in names}

    def targets(self, values: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = (
            _logarithms(values, self.logarithmic) - self.target_mean
        ) / self.target_deviation
        return scaled

    def values(self, targets: np.ndarray) -> np.ndarray:
        """Back to physical units (..., metrics)."""
        plain = targets * self.target_deviation + self.target_mean
        return np.where(self.logarithmic, np.exp(np.where(self.logarithmic, plain, 0.0)), plain)

    def slopes(self, slopes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """d targets / d inputs in their deviations (rows, metrics, features) of d values / d scaled
        coefficients there.

        The last feature, the number of field periods, has no slope: 0.
        """
        by = np.where(self.logarithmic, values, 1.0) * self.target_deviation
        scaled = slopes / by[:, :, None] * self.input_deviation[:-1]
        return np.concatenate([scaled, np.zeros((*scaled.shape[:2], 1))], axis=2)


def _logarithms(values: np.ndarray, logarithmic: np.ndarray) -> np.ndarray:
    return np.where(logarithmic, np.log(np.where(logarithmic, values, 1.0)), values)


def _at_least(deviation: np.ndarray) -> np.ndarray:
    """1 for what is the same in all rows: it teaches nothing and must not divide by nothing."""
    return np.where(deviation > 1e-6, deviation, 1.0)
