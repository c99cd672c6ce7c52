"""`workload.yaml`: what a workload is called, what it needs and which parameters it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ml_platform.errors import InputError, NotFoundError
from ml_platform.file_error import file_error
from ml_platform.job import (
    Cpu,
    Duration,
    Gpus,
    HeadResources,
    Quantity,
    Workers,
    WorkloadName,
    check_json,
    duration,
    refuse_control_characters,
)
from ml_platform.yaml_document import from_yaml

FILE_NAME = "workload.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Environment(_Part):
    requirements: Annotated[
        str, Field(description="Hashed lock file, relative to the workload's folder.")
    ]


class Resources(_Part):
    cpu: Cpu = 1.0
    memory: Quantity = "2Gi"
    gpus: Gpus = 0
    head: Annotated[
        HeadResources, Field(description="The pod that runs the entrypoint, on a cluster.")
    ] = HeadResources()


class Preset(_Part):
    title: str
    description: str = ""
    parameters: dict[str, Any] = {}
    workers: Workers = 1
    max_duration: Duration = "1h"


class Reference(_Part):
    value: float
    label: str


class ConditionalReference(Reference):
    when: Annotated[
        dict[str, str | bool | int | float],
        Field(description="Parameters, and the values that a job has for which it counts."),
    ] = {}


def _several(given: Any) -> Any:
    """One may be written without a list."""
    if given is None:
        return ()
    return (given,) if isinstance(given, dict) else given


class MetricInfo(_Part):
    title: str
    unit: str = ""
    goal: Literal["minimize", "maximize"] | None = None
    reference: Annotated[
        tuple[ConditionalReference, ...],
        BeforeValidator(_several),
        Field(description="A line in the chart; of several the first that counts for the job."),
    ] = ()

    def reference_for(self, parameters: Mapping[str, Any]) -> Reference | None:
        """What a job with these parameters is compared with."""
        for reference in self.reference:
            if all(parameters.get(name) == value for name, value in reference.when.items()):
                return Reference(value=reference.value, label=reference.label)
        return None


class Workload(_Part):
    """A program that can be trained: the content of `workloads/<name>/workload.yaml`."""

    name: WorkloadName
    title: Annotated[str, Field(max_length=80)]
    description: Annotated[str, Field(max_length=1000)]
    owner: Annotated[str, Field(description="Catalog reference of the group that keeps it.")]
    system: Annotated[str, Field(description="Catalog system that its jobs belong to.")]
    entrypoint: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]
    environments: Annotated[
        dict[str, Environment], Field(description="`main` runs the entrypoint.")
    ]
    resources: Resources = Resources()
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of the parameters.")] = {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }
    presets: dict[str, Preset] = {}
    metrics: dict[str, MetricInfo] = {}
    headline: Annotated[
        str | None, Field(description="Metric and key of summary.json that says how good it is.")
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> Workload:
        if "main" not in self.environments:
            raise ValueError("environments: `main` is missing; it runs the entrypoint")
        if self.headline is not None and self.headline not in self.metrics:
            raise ValueError(f"headline: {self.headline!r} is not among the metrics")
        for preset in self.presets.values():
            duration(preset.max_duration)
            check_json(preset.parameters)
        check_json(self.parameters)
        _check_references(self.parameters)
        jsonschema.Draft202012Validator.check_schema(self.parameters)
        for name, metric in self.metrics.items():
            for reference in metric.reference:
                self._check_when(f"metrics.{name}.reference.when", reference.when)
        return self

    def _check_when(self, where: str, when: dict[str, Any]) -> None:
        """Only values that a job can have."""
        properties = self.parameters.get("properties", {})
        for parameter, value in when.items():
            if parameter not in properties:
                raise ValueError(f"{where}: there is no parameter {parameter}")
            try:
                jsonschema.validate(value, properties[parameter], jsonschema.Draft202012Validator)
            except jsonschema.ValidationError as error:
                raise ValueError(f"{where}.{parameter}: {error.message}") from error

    @field_validator("entrypoint")
    @classmethod
    def _plain_arguments(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for argument in value:
            refuse_control_characters(argument)
            if "$(" in argument:
                # Kubernetes would expand it in the submitter's arguments, this machine would not.
                raise ValueError("an argument may not hold $(; read a variable in the program")
        return value

    @cached_property
    def _validator(self) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(self.parameters)

    def defaults(self) -> dict[str, Any]:
        """Default of each parameter that has one."""
        properties = self.parameters.get("properties", {})
        return {
            name: schema["default"]
            for name, schema in properties.items()
            if isinstance(schema, dict) and "default" in schema
        }

    def resolve_parameters(
        self, given: dict[str, Any], preset: Preset | None = None
    ) -> dict[str, Any]:
        """Defaults, then the preset, then what was given; InputError names the parameter."""
        merged = {**self.defaults(), **(preset.parameters if preset else {}), **given}
        for problem in sorted(self._validator.iter_errors(merged), key=lambda e: list(e.path)):
            raise InputError(_sentence(problem), field=_field(problem), hint=_known(self))
        return self._whole_numbers(merged)

    def _whole_numbers(self, values: dict[str, Any]) -> dict[str, Any]:
        """JSON Schema takes 3.0 for an integer; a program gets the 3 that it asked for."""
        kinds = {
            name: schema.get("type")
            for name, schema in self.parameters.get("properties", {}).items()
            if isinstance(schema, dict)
        }
        return {
            name: int(value) if kinds.get(name) == "integer" else value
            for name, value in values.items()
        }

    def preset(self, name: str | None) -> Preset | None:
        """The preset called `name`; raises InputError with those that exist."""
        if name is None:
            return None
        if name not in self.presets:
            known = ", ".join(self.presets) or "none"
            raise InputError(
                f"{self.name} has no preset {name!r}", field="preset", hint=f"it has: {known}"
            )
        return self.presets[name]


def _check_references(schema: Any) -> None:
    """Only whole schemas: a reference would be followed, if need be over the network."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                raise ValueError(f"parameters: {key} is not used here; write the schema out")
            _check_references(value)
    elif isinstance(schema, list):
        for item in schema:
            _check_references(item)


def _field(problem: jsonschema.ValidationError) -> str:
    return ".".join(["parameters", *(str(part) for part in problem.path)])


def _known(workload: Workload) -> str:
    names = ", ".join(workload.parameters.get("properties", {}))
    return f"parameters are: {names}" if names else f"{workload.name} takes no parameters"


def _sentence(problem: jsonschema.ValidationError) -> str:
    message = problem.message
    if problem.validator == "type" and problem.validator_value == "boolean":
        message += "; write true or false"
    return message if len(message) < 300 else message[:140] + " … " + message[-140:]


def load_workload(folder: Path) -> Workload:
    """Read `<folder>/workload.yaml`; raises NotFoundError or InputError naming the file and key."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise NotFoundError(f"{folder.name} has no {FILE_NAME}", hint="see workloads/README.md")
    try:
        return Workload.model_validate(from_yaml(path.read_bytes()))
    except (yaml.YAMLError, ValidationError) as error:
        raise file_error(path.name, folder.name, error) from error
    except jsonschema.SchemaError as error:
        raise InputError(
            f"{path.name}: parameters is no JSON Schema: {error.message}", field=folder.name
        ) from error
