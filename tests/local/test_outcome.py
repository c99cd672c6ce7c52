"""What the archive says of a job that has ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ml_platform.cluster.local import Record
from ml_platform.local import status
from ml_platform.local.outcome import outcome_of

SUBMITTED = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BEGUN = datetime(2026, 11, 24, 8, 1, tzinfo=UTC)
ENDED = datetime(2026, 11, 24, 8, 2, tzinfo=UTC)


def submitted() -> dict[str, Any]:
    manifest = {"metadata": {"name": "fit-20261124-aaaaaa"}, "spec": {}}
    return status.initializing(status.applied(manifest, "uid", SUBMITTED), "fit-0", SUBMITTED)


def record(rayjob: dict[str, Any]) -> Record:
    return Record("fit-20261124-aaaaaa", 1, "jobs/t/000/fit-20261124-aaaaaa.yaml", "0" * 40, rayjob)


def test_a_job_whose_program_never_began_has_no_start() -> None:
    outcome = outcome_of(record(status.failed(submitted(), ENDED, "no worker", "AppFailed")))
    assert outcome.started_at is None
    assert outcome.ended_at == ENDED
    assert outcome.cause == "no worker"


def test_a_job_started_when_its_program_began_not_when_ray_took_it() -> None:
    outcome = outcome_of(record(status.complete(status.running(submitted(), BEGUN), ENDED)))
    assert outcome.started_at == BEGUN
    assert (outcome.applied_at, outcome.admitted_at) == (SUBMITTED, SUBMITTED)


def test_a_job_ran_from_its_first_attempt_on() -> None:
    again = status.retrying(status.running(submitted(), BEGUN), "no luck", counted=True)
    last = status.complete(status.running(again, ENDED), ENDED)
    assert outcome_of(record(last)).started_at == BEGUN
