"""summary.json and the pictures, each light and dark."""

import json
from typing import Any

import numpy as np

from tokamak_profiles.job.parameters import Parameters
from tokamak_profiles.job.run_directory import RunDirectory
from tokamak_profiles.learning.errors import (
    coverage,
    ensemble_mean,
    gain_error,
    row_errors,
    spread,
    temperature_error,
)
from tokamak_profiles.learning.evaluation import Evaluation
from tokamak_profiles.learning.rows import Rows
from tokamak_profiles.learning.training import Record
from tokamak_profiles.results import pictures


def write_results(
    files: RunDirectory, given: Parameters, rows: Rows, record: Record, evaluation: Evaluation
) -> dict[str, Any]:
    """Write everything below `results/`; returns the summary."""
    summary = _summary(given, rows, evaluation)
    held_out = rows.held_out()
    for theme in pictures.THEMES:
        suffix = "" if theme == "light" else f"-{theme}"  # the portal shows that of its page
        for name, picture in (
            ("profiles", pictures.profiles(evaluation, theme)),
            ("held-out-points", pictures.held_out(held_out, evaluation, theme)),
            ("fusion-gain-map", pictures.gain_map(evaluation, theme)),
            ("training", pictures.training(record.history, theme)),
        ):
            files.write_result(f"{name}{suffix}.png", picture)
    # Last, so that whoever sees it sees everything.
    files.write_result("summary.json", (json.dumps(summary, indent=1) + "\n").encode())
    return summary


def _summary(given: Parameters, rows: Rows, found: Evaluation) -> dict[str, Any]:
    held_out, scenario = rows.held_out(), found.scenario
    errors = row_errors(found.held_out, held_out)
    heating = given.heating_power
    predicted = ensemble_mean(found.scenario_temperature[:, None])[0]
    known: dict[str, Any] = {
        "temperature_error": round(temperature_error(found.held_out, held_out), 3),
        "temperature_error_95_percent_below": round(float(np.quantile(errors, 0.95)), 3),
        "gain_error": round(gain_error(found.held_out_power, held_out), 3),
        "spread": round(spread(found.held_out), 3),
        "within_two_spreads_percent": round(coverage(found.held_out, held_out), 1),
        "rows_trained_on": len(rows.training().points),
        "rows_held_out": len(held_out.points),
        "rows_unsolved": int((~rows.solved).sum()),
        "predicted_fusion_gain": round(float(ensemble_mean(found.scenario_power)) / heating, 3),
        "predicted_axis_ion_temperature_kev": round(float(predicted[0, 0]), 2),
        "predicted_axis_electron_temperature_kev": round(float(predicted[1, 0]), 2),
        "turbulence": "QLKNN_7_11 (fusion-surrogates 0.4.7)",
    }
    if scenario.solved[0]:
        ions, electrons = scenario.temperature[0, :, 0]
        known |= {
            "fusion_gain": round(float(scenario.fusion_power[0]) / heating, 3),
            "fusion_power_mw": round(float(scenario.fusion_power[0]), 1),
            "axis_ion_temperature_kev": round(float(ions), 2),
            "axis_electron_temperature_kev": round(float(electrons), 2),
        }
    return known
