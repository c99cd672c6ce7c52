"""The job's parameters; `workload.yaml` is the one place that has their defaults and bounds."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import yaml

WORKLOAD = Path(__file__).resolve().parents[2] / "workload.yaml"


class Parameters(NamedTuple):
    """What `workload.yaml` explains; the first eight are an operating point of physics.machine."""

    heating_power: float
    ion_fraction: float
    deposition_radius: float
    plasma_current: float
    pedestal_density: float
    density_peaking: float
    pedestal_temperature: float
    effective_charge: float
    rows: int
    members: int
    hidden: int
    updates: int
    seed: int

    @property
    def scenario(self) -> tuple[float, ...]:
        """The operating point that is shown in detail."""
        return self[:8]

    def describe(self) -> str:
        """For the log, in words."""
        return ", ".join(
            f"{name.replace('_', ' ')} {value:g}" for name, value in self._asdict().items()
        )

    @classmethod
    def from_json(cls, text: str) -> "Parameters":
        """Defaults overridden by the JSON object `text`; raises ValueError naming the parameter."""
        schema = parameter_schema()
        given: dict[str, Any] = json.loads(text)
        defaults = {name: entry["default"] for name, entry in schema["properties"].items()}
        values = {**defaults, **given}
        problems = sorted(jsonschema.Draft202012Validator(schema).iter_errors(values), key=str)
        if problems:
            raise ValueError("; ".join(_sentence(problem) for problem in problems))
        return cls(**values)


def _sentence(problem: jsonschema.ValidationError) -> str:
    if problem.path:
        return f"parameter {problem.path[0]}: {problem.message}"
    return f"parameters: {problem.message}"


@cache
def parameter_schema() -> dict[str, Any]:
    """The JSON Schema in `workload.yaml`."""
    schema: dict[str, Any] = yaml.safe_load(WORKLOAD.read_text(encoding="utf-8"))["parameters"]
    return schema


def domain() -> list[tuple[float, float]]:
    """Lowest and highest value of each part of an operating point: what the networks learn on."""
    entries = parameter_schema()["properties"]
    return [(entries[name]["minimum"], entries[name]["maximum"]) for name in Parameters._fields[:8]]
