"""The one definition of a job: what is asked (`JobRequest`) and what is committed (`JobSpec`)."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

JOB_ID_MAX = 47  # KubeRay refuses longer RayJob names (it derives pod names from them).
NAME_MAX = JOB_ID_MAX - len("-yyyymmdd-xxxxxx")
DNS_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
DIGEST_REFERENCE = r"^[a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$"
QUANTITY = r"^[1-9][0-9]{0,6}(Mi|Gi)$"
DURATION = r"^[1-9][0-9]{0,4}(s|m|h|d)$"
MAX_DURATION = timedelta(days=14)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# NVIDIA_VISIBLE_DEVICES=all shows a container every GPU of its node, also those of others.
_RESERVED_ENV = re.compile(r"(JOB_|RAY_|KUBERNETES_|LD_|PYTHON|NVIDIA_|CUDA_VIS|PATH\Z|HOME\Z)")
# Text that YAML, Git or a browser could read as structure, or that hides what it says.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def refuse_control_characters(text: str) -> str:
    """`text` unchanged; raises ValueError for control, bidirectional and zero-width characters."""
    found = _CONTROL.search(text)
    if found:
        raise ValueError(f"holds the invisible character U+{ord(found.group()):04X}; remove it")
    return text


def check_json(value: Any, depth: int = 0) -> Any:
    """`value` unchanged; raises ValueError for what JSON and its readers would not carry over."""
    if depth > 8:
        raise ValueError("nested more than 8 levels deep; flatten it")
    if isinstance(value, str):
        refuse_control_characters(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            refuse_control_characters(str(key))
            check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        raise ValueError("is beyond ±2^53 and would not survive JSON; use a smaller number")
    elif value is not None and not isinstance(value, int | float):
        raise ValueError(f"holds a {type(value).__name__}, which JSON does not have; quote it")
    return value


Name = Annotated[
    str,
    StringConstraints(strict=True, pattern=DNS_LABEL, max_length=NAME_MAX),
    Field(
        description=f"Lower-case letters, digits and hyphens, at most {NAME_MAX} characters.",
        examples=["p1-quick"],
    ),
]
Label = Annotated[str, StringConstraints(strict=True, pattern=DNS_LABEL, max_length=40)]
WorkloadName = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[a-z]([a-z0-9_]*[a-z0-9])?$", max_length=50),
    Field(description="Name of a folder of `workloads/`.", examples=["stellar_optimization"]),
]
VERSION_RULE = "use letters, digits, '.', '_' and '-', at most 63 characters"
Version = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=63),
    Field(description="Version (tag) of the workload's image.", examples=["v1.0.0"]),
]
Workers = Annotated[
    int,
    Field(strict=True, ge=1, le=1024, description="Number of Ray workers.", examples=[2]),
]
Duration = Annotated[
    str,
    StringConstraints(strict=True, pattern=DURATION),
    Field(
        description="Time limit of one attempt: a number and s, m, h or d; at most 14d.",
        examples=["10m", "12h"],
    ),
]
Attempts = Annotated[
    int,
    Field(strict=True, ge=1, le=10, description="How often the job may be tried.", examples=[3]),
]
Quantity = Annotated[
    str,
    StringConstraints(strict=True, pattern=QUANTITY),
    Field(description="Memory as a whole number of Mi or Gi.", examples=["2Gi"]),
]
Cpu = Annotated[
    float,
    Field(strict=True, ge=0.1, le=256, description="CPU cores per worker.", examples=[1]),
]
Gpus = Annotated[int, Field(strict=True, ge=0, le=16, description="GPUs per worker.", examples=[0])]
Tag = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)
]


class Phase(StrEnum):
    """Where a job stands; the last three are final."""

    SUBMITTED = "submitted"
    WAITING_FOR_REVIEW = "waiting-for-review"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class JobRequest(_Model):
    """What a person asks for, in form, CLI and SDK alike.

    What is left out is filled from the preset, then from the workload.
    """

    workload: WorkloadName
    version: Version
    team: Annotated[
        Label, Field(description="The team that pays.", examples=["stellarator-design"])
    ]
    name: Annotated[Name | None, Field(description="Short name; the workload's when left out.")] = (
        None
    )
    preset: Annotated[
        Tag | None,
        Field(description="A preset of the workload, as a start.", examples=["quick"]),
    ] = None
    parameters: Annotated[
        dict[str, Any],
        Field(
            description="Parameters, checked against the workload's JSON Schema.",
            examples=[{"seed": 1}],
        ),
    ] = {}
    pool: Annotated[Label, Field(description="Where to run.", examples=["laptop"])] = "laptop"
    workers: Workers | None = None
    cpu: Cpu | None = None
    memory: Quantity | None = None
    gpus: Gpus | None = None
    priority: Annotated[Priority, Field(description="Order in the queue.")] = Priority.NORMAL
    max_duration: Duration | None = None
    attempts: Attempts = 3
    resume_from: Annotated[
        str | None,
        StringConstraints(strict=True, pattern=DNS_LABEL, max_length=JOB_ID_MAX),
        Field(description="Id of an ended job whose newest checkpoint is the start."),
    ] = None
    parent: Annotated[
        str | None,
        StringConstraints(strict=True, pattern=DNS_LABEL, max_length=JOB_ID_MAX),
        Field(description="Id of the job this one was made from ('run again')."),
    ] = None
    env: Annotated[
        dict[str, str], Field(description="Extra environment variables.", max_length=64)
    ] = {}
    tags: Annotated[
        tuple[Tag, ...], Field(description="Words to find the job by.", max_length=16)
    ] = ()

    @field_validator("parameters")
    @classmethod
    def _plain_parameters(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_json(value)
        return value

    @field_validator("env")
    @classmethod
    def _plain_env(cls, value: dict[str, str]) -> dict[str, str]:
        return check_env(value)

    @field_validator("max_duration")
    @classmethod
    def _bounded(cls, value: str | None) -> str | None:
        if value is not None:
            duration(value)
        return value


class HeadResources(_Model):
    """What the head pod gets: Ray's own processes and the job's entrypoint run in it."""

    cpu: Annotated[Cpu, Field(description="CPU cores of the head.", examples=[1])] = 1.0
    memory: Annotated[Quantity, Field(description="Memory of the head.", examples=["2Gi"])] = "2Gi"


class JobSpec(_Model):
    """What was asked, with every choice made: the content of the annotation `ml-platform/spec`."""

    name: Name
    team: Label
    workload: WorkloadName
    version: Version
    image: Annotated[
        str,
        StringConstraints(strict=True, pattern=DIGEST_REFERENCE, max_length=300),
        Field(description="Image reference by digest."),
    ]
    entrypoint: Annotated[
        tuple[str, ...],
        Field(min_length=1, max_length=64, description="Argument list; never a shell string."),
    ]
    preset: Tag | None = None
    parameters: dict[str, Any] = {}
    pool: Label
    workers: Workers
    cpu: Cpu
    memory: Quantity
    gpus: Gpus
    head: HeadResources = HeadResources()
    priority: Priority = Priority.NORMAL
    max_duration: Duration
    attempts: Attempts
    resume_from: str | None = None
    parent: str | None = None
    env: dict[str, str] = {}
    tags: tuple[Tag, ...] = ()


def check_env(value: dict[str, str]) -> dict[str, str]:
    """`value` unchanged; raises ValueError for what could not be passed on safely."""
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
            raise ValueError(f"{name[:40]!r} is no name of an environment variable")
        if _RESERVED_ENV.match(name):
            raise ValueError(f"{name} is set by the platform; choose another name")
        if len(text) > 4096:
            raise ValueError(f"{name} must be text of at most 4096 characters")
        refuse_control_characters(text)
    return value


def duration(text: str) -> timedelta:
    """`10m` as a timedelta; raises ValueError beyond 14 days."""
    value = timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])
    if value > MAX_DURATION:
        raise ValueError("must be at most 14d; split the work and resume from a checkpoint")
    return value


def mebibytes(quantity: str) -> int:
    """`2Gi` in MiB."""
    return int(quantity[:-2]) * (1024 if quantity.endswith("Gi") else 1)


def key_hash(owner: str, idempotency_key: str) -> str:
    """Hex SHA-256 of a caller's key. Keys are the caller's own: two users never collide."""
    return hashlib.sha256(f"{owner}\0{idempotency_key}".encode()).hexdigest()


def job_id(name: str, day: date, hashed_key: str) -> str:
    """`<name>-<yyyymmdd>-<6 base32 characters of the key's hash>`; at most 47, DNS-1035."""
    letters = base64.b32encode(bytes.fromhex(hashed_key)).decode().lower()[:6]
    return f"{name}-{day:%Y%m%d}-{letters}"
