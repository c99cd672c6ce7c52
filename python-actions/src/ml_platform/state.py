"""How a job stands: one pure function of what was committed, applied and observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ml_platform.job import Phase


class Outcome(BaseModel):
    """How a job ended: the annotation `ml-platform/outcome` of an archived manifest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    phase: Annotated[Phase, Field(description="succeeded, failed or cancelled.")]
    cause: Annotated[str | None, Field(description="Why, in a sentence.")] = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempts: Annotated[int, Field(description="Attempts that were started.")] = 0
    summary: dict[str, Any] | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a job.

    `active`: its manifest is in the active set. `outcome`: of the archive. `rayjob`: the object as
    the API server gives it (the local agent keeps the same shape), None while it is not applied.
    """

    active: bool
    outcome: Outcome | None = None
    rayjob: dict[str, Any] | None = None


@dataclass(frozen=True)
class JobState:
    phase: Phase
    reason: str | None
    attempt: int


_NOT_APPLIED = "The commit is there; it has not been applied yet."


def job_state(facts: Facts) -> JobState:
    """The one answer to "how does the job stand?" for CLI, SDK, portal and health checks."""
    status = _status(facts.rayjob)
    # `failed` counts the attempts that have failed: the current one has that number, from 0, unless
    # the job ended with it.
    attempt = _count(status.get("failed"))
    last_failed = max(attempt - 1, 0)
    if facts.outcome is not None:
        seen = last_failed if facts.outcome.phase is Phase.FAILED else attempt
        tried = max(facts.outcome.attempts - 1, seen)
        return JobState(facts.outcome.phase, facts.outcome.cause, tried)
    if not facts.active:
        return JobState(Phase.CANCELLED, "Its manifest was removed from the repository.", attempt)
    if facts.rayjob is None:
        return JobState(Phase.SUBMITTED, _NOT_APPLIED, 0)
    suspended = (facts.rayjob.get("spec") or {}).get("suspend") is True
    phase, reason = _applied_phase(status, attempt, suspended=suspended)
    return JobState(phase, reason, last_failed if phase is Phase.FAILED else attempt)


def _applied_phase(
    status: dict[str, Any], attempt: int, *, suspended: bool
) -> tuple[Phase, str | None]:
    deployment = str(status.get("jobDeploymentStatus") or "")
    job = str(status.get("jobStatus") or "")
    message = status.get("message") or None
    match deployment:
        case "Complete":
            if job == "SUCCEEDED":
                return Phase.SUCCEEDED, None
            return Phase.FAILED, message
        case "Failed" | "ValidationFailed":
            return Phase.FAILED, message
        case "" if suspended:
            return Phase.QUEUED, message
        case "Suspended" | "Suspending":
            return Phase.QUEUED, message
        case "Retrying":
            return Phase.STARTING, message or f"Attempt {attempt} is being prepared."
        case "Running" if job in ("RUNNING", "SUCCEEDED", "FAILED", "STOPPED"):
            return Phase.RUNNING, message
        case _:
            return Phase.STARTING, message


def _status(rayjob: dict[str, Any] | None) -> dict[str, Any]:
    status = (rayjob or {}).get("status")
    return status if isinstance(status, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
