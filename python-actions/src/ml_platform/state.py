"""How a job stands: one pure function of what was committed, applied and observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ml_platform.cluster.application import not_applied_reason
from ml_platform.cluster.failure import cause_of, message_of
from ml_platform.cluster.fields import count, entries, mapping, text
from ml_platform.cluster.starting import head_is_lost, pod_trouble, starting_reason
from ml_platform.cluster.waiting import evictions, is_admitted, is_evicted, queue_reason
from ml_platform.job import Phase


class Cost(BaseModel):
    """An amount of money, in the currency that `pools.yaml` had then."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    amount: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    currency: Annotated[str, Field(description="Such as `USD`.")]


class Outcome(BaseModel):
    """How a job ended: the annotation `ml-platform/outcome` of an archived manifest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: Annotated[Phase, Field(description="succeeded, failed or cancelled.")]
    cause: Annotated[str | None, Field(description="Why, in a sentence.")] = None
    applied_at: datetime | None = None
    admitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: Annotated[int, Field(description="Attempts that were started.")] = 0
    cost: Annotated[Cost | None, Field(description="None on a pool without a price.")] = None
    summary: dict[str, Any] | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a job.

    `active`: its manifest is in the active set. `outcome`: of the archive. The others are objects
    as the API server gives them (the local agent keeps the same shape): `rayjob` is None while it
    is not applied, the rest is what a cluster has around it, as `cluster.interface.Observed` says.
    """

    active: bool
    outcome: Outcome | None = None
    rayjob: dict[str, Any] | None = None
    workload: dict[str, Any] | None = None
    queue: dict[str, Any] | None = None
    pods: Sequence[dict[str, Any]] = ()
    events: Sequence[dict[str, Any]] = ()
    application: dict[str, Any] | None = None
    job_id: str = ""


@dataclass(frozen=True)
class JobState:
    phase: Phase
    reason: str | None
    attempt: int


_NOT_APPLIED = "The commit is there; it has not been applied yet."
_NOT_LOOKED_AT = "It is applied; Kueue, which shares the machines out, has not looked at it yet."
_HEAD_LOST = "The head of its Ray cluster was lost; the attempt is being given up."


def job_state(facts: Facts) -> JobState:
    """The one answer to "how does the job stand?" for CLI, SDK, portal and health checks."""
    failed = count(facts.rayjob, "status", "failed")
    evicted = evictions(facts.workload)
    # `failed` counts the attempts that have failed: the current one has that number, from 0, unless
    # the job ended with it. An eviction ends an attempt too, which KubeRay does not count.
    attempt, last_failed = failed + evicted, max(failed - 1, 0) + evicted
    if facts.outcome is not None:
        seen = last_failed if facts.outcome.phase is Phase.FAILED else attempt
        tried = max(facts.outcome.attempts - 1, seen)
        return JobState(facts.outcome.phase, facts.outcome.cause, tried)
    if not facts.active:
        return JobState(Phase.CANCELLED, "Its manifest was removed from the repository.", attempt)
    if facts.rayjob is None:
        reason = not_applied_reason(facts.application, facts.job_id)
        return JobState(Phase.SUBMITTED, reason or _NOT_APPLIED, 0)
    phase, reason = _applied(facts, attempt)
    return JobState(phase, reason, last_failed if phase is Phase.FAILED else attempt)


def _applied(facts: Facts, attempt: int) -> tuple[Phase, str | None]:
    status = mapping(facts.rayjob, "status")
    deployment, job = text(status, "jobDeploymentStatus"), text(status, "jobStatus")
    if deployment == "Complete" and job == "SUCCEEDED":
        return Phase.SUCCEEDED, None
    if deployment in ("Complete", "Failed", "ValidationFailed"):
        return Phase.FAILED, cause_of(facts.rayjob)
    if _is_queued(facts, deployment):
        return Phase.QUEUED, _why_queued(facts, status)
    if deployment == "Retrying":
        return Phase.STARTING, _next_attempt(facts, attempt)
    if deployment == "Running" and job in ("RUNNING", "SUCCEEDED", "FAILED", "STOPPED"):
        return Phase.RUNNING, message_of(status) or _trouble(facts, job)
    return Phase.STARTING, message_of(status) or _awaited(facts)


def _is_queued(facts: Facts, deployment: str) -> bool:
    """Kueue suspends a job that it has not admitted, or admits no more. KubeRay follows some
    seconds later, and starts even a first admission while it is suspended still."""
    if mapping(facts.rayjob, "spec").get("suspend") is True or is_evicted(facts.workload):
        return True
    return deployment in ("Suspended", "Suspending") and not is_admitted(facts.workload)


def _why_queued(facts: Facts, status: dict[str, Any]) -> str | None:
    if reason := queue_reason(facts.workload, facts.queue) or message_of(status):
        return reason
    suspended = mapping(facts.rayjob, "spec").get("suspend") is True
    unseen = suspended and not entries(facts.workload, "status", "conditions")
    return _NOT_LOOKED_AT if unseen else None


def _next_attempt(facts: Facts, attempt: int) -> str:
    cause = cause_of(facts.rayjob)
    # Numbers count from 0, people from 1.
    if cause is None:
        return f"Attempt {attempt + 1} is being prepared."
    if facts.workload is None:  # the local agent says it all itself
        return cause
    return f"Attempt {attempt} failed: {cause}. Attempt {attempt + 1} is being prepared."


def _trouble(facts: Facts, job: str) -> str | None:
    if job == "RUNNING" and head_is_lost(facts.pods):
        return _HEAD_LOST
    return pod_trouble(facts.pods, facts.events)


def _awaited(facts: Facts) -> str | None:
    if facts.workload is None and not facts.pods:
        return None
    wanted = count(facts.rayjob, "status", "rayClusterStatus", "desiredWorkerReplicas")
    return starting_reason(facts.pods, facts.events, wanted)
