"""What the job API answers with; the source of the OpenAPI document and the TypeScript types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from ml_platform.job import JobSpec, Phase
from ml_platform.state import Cost
from ml_platform.workload import Reference

# Header of a log's last lines: how many bytes they leave out. A reader whose connection breaks asks
# for the whole log and knows where it was.
LOG_START = "ML-Platform-Log-Start"


class ApiModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hop(ApiModel):
    """One step of a job's road, in order; `at` is null while it has not happened."""

    name: Literal[
        "submitted", "applied", "admitted", "cluster-ready", "running", "ended", "archived"
    ]
    title: str
    at: datetime | None = None
    detail: str | None = None


class Commit(ApiModel):
    sha: str
    author: str
    email: str
    at: datetime


class State(ApiModel):
    phase: Phase
    reason: Annotated[str | None, Field(description="Why it waits or failed, in a sentence.")] = (
        None
    )
    since: datetime
    final: bool


class Headline(ApiModel):
    """Newest value of the figure that says how good the job's result is."""

    name: str
    title: str
    unit: str
    value: float


class JobSummary(ApiModel):
    """A line of the job list."""

    id: str
    name: str
    team: str
    owner: Annotated[str, Field(description="Catalog reference of the user who asked.")]
    workload: str
    version: str
    pool: str
    workers: int
    state: State
    attempt: Annotated[int, Field(description="Number of the current attempt, from 0.")]
    attempts: Annotated[int, Field(description="How many attempts the job may take.")]
    submitted_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    headline: Headline | None = None
    page_url: str


class LogSource(ApiModel):
    """One of the logs that a job has now; `name` is what `source` of the log's route takes."""

    name: str
    title: str
    every_attempt: Annotated[
        bool, Field(description="Whether earlier attempts have it too, or only the newest.")
    ]


class EndedAttempt(ApiModel):
    """An attempt before the newest one."""

    number: Annotated[int, Field(description="From 0.")]
    cause: Annotated[str, Field(description="Why it ended, in a sentence.")]


class Job(JobSummary):
    """Everything that the job page shows."""

    spec: JobSpec
    hops: list[Hop]
    commit: Commit
    commits: Annotated[list[Commit], Field(description="All commits on this job, oldest first.")]
    path: Annotated[str, Field(description="The manifest's path in the GitOps repository.")]
    summary: dict[str, Any] | None = None
    cause: str | None = None
    cost: Annotated[
        Cost | None, Field(description="Of an ended job; null on a pool without a price.")
    ] = None
    earlier_attempts: Annotated[
        list[EndedAttempt], Field(description="What is known of attempts before the newest.")
    ] = []
    log_sources: list[LogSource]


class JobPage(ApiModel):
    items: list[JobSummary]
    total: int
    next_cursor: str | None = None


class MetricSeries(ApiModel):
    name: str
    title: str
    unit: str
    goal: Literal["minimize", "maximize"] | None = None
    reference: Reference | None = None


# What training code wrote, as it is: only the attempt is the platform's own.
MetricRow = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "required": ["attempt"],
            "properties": {"attempt": {"type": "integer"}},
            "additionalProperties": True,
        }
    ),
]


class Metrics(ApiModel):
    """`rows` in the order written; each has `step`, `time` (unix seconds), `attempt` and values."""

    series: list[MetricSeries]
    rows: list[MetricRow]
    cursor: Annotated[str, Field(description="Give it back as `after` to get only newer rows.")]


class ResultFile(ApiModel):
    path: str
    media_type: str
    size: int
    modified_at: datetime


class Results(ApiModel):
    summary: dict[str, Any] | None
    files: list[ResultFile]


class Event(ApiModel):
    """One state change: `data:` of a server-sent event; its `id:` is `seq`."""

    seq: int
    job: JobSummary


class PoolView(ApiModel):
    name: str
    title: str
    description: str
    gpus: int
    accelerator: str | None
    cpu_per_node: float
    memory_per_node: str
    max_workers: int
    price_per_worker_hour: float
    currency: str
    available: bool
    reason: Annotated[str | None, Field(description="Why it cannot be chosen here.")] = None
    free_cpu: float | None = None
    free_gpus: int | None = None


class BudgetView(ApiModel):
    """A team's calendar month, in UTC."""

    month: Annotated[str, Field(description="Such as `2026-11`.")]
    amount: Annotated[float, Field(description="What the team's jobs may cost in it.")]
    spent: Annotated[float, Field(description="What jobs that ended in it have cost.")]
    reserved: Annotated[float, Field(description="What active jobs may cost, one attempt each.")]
    left: Annotated[float, Field(description="What is neither spent nor reserved; never below 0.")]
    currency: Annotated[str, Field(description="Of `pools.yaml`, such as `USD`.")]


class TeamView(ApiModel):
    name: str
    title: str
    group: Annotated[str, Field(description="Catalog reference of the group of its members.")]
    member: bool
    problems: Annotated[
        list[str],
        Field(description="What holds up the team's jobs, in sentences; for its members only."),
    ] = []
    budget: Annotated[
        BudgetView | None, Field(description="For its members; null: it has none, or all is free.")
    ] = None


class ImageView(ApiModel):
    workload: str
    version: str
    digest: str
    reference: str
    built_at: datetime
    size_bytes: int


class PresetView(ApiModel):
    name: str
    title: str
    description: str
    parameters: dict[str, Any]
    workers: int
    max_duration: str


class WorkloadView(ApiModel):
    name: str
    title: str
    description: str
    owner: str
    system: str
    parameters: Annotated[dict[str, Any], Field(description="JSON Schema of the parameters.")]
    presets: list[PresetView]
    metrics: list[MetricSeries]
    headline: str | None
    images: list[ImageView]


class Me(ApiModel):
    user: str
    name: str
    teams: list[str]
    kind: Literal["user", "service"]
