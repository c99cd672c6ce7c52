"""Carries one applied job through its attempts on the local Ray."""

from __future__ import annotations

import logging
import os
import shlex
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ml_platform.cluster.failure import duration
from ml_platform.cluster.local import LocalCluster, Record
from ml_platform.errors import InputError, WorkError
from ml_platform.local import run_records, status
from ml_platform.local.local_job import LocalJob, local_job
from ml_platform.local.ray_jobs import ENDED, SUBMIT_TIMEOUT_SECONDS, RayJobInfo, RayJobs

log = logging.getLogger(__name__)
RAY_LOST = "Ray was lost"
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
# How long a submission that was never answered may be on its way to Ray.
ARRIVAL_SECONDS = 2 * SUBMIT_TIMEOUT_SECONDS
# Attempts that a later one superseded cost no try; this bounds them all the same.
UNCOUNTED_ATTEMPTS = 5


class Runner:
    """Each method does one step and returns; what must survive is in the store before the step."""

    def __init__(self, cluster: LocalCluster, ray: RayJobs, images_dir: Path) -> None:
        self._cluster = cluster
        self._ray = ray
        self._images = images_dir

    def begin(self, record: Record) -> None:
        """Start the current attempt. The intent is stored first: after a crash the same submission
        id is used again, and Ray runs an id once."""
        session = self._ray.session()
        rayjob = status.initializing(record.rayjob, _submission(record), datetime.now(UTC))
        begun = replace(record, session=session, rayjob=rayjob, not_before=time.time())
        self._submit(self._cluster.put(begun))

    def follow(self, record: Record) -> None:
        """Bring the record up to what Ray says of its attempt."""
        if record.deployment == "Retrying":
            if time.time() >= record.not_before:
                self.begin(record)
            return
        info = self._ray.status(_submission(record))
        if info is None:
            self._unknown_to_ray(record)
        elif info.status in ENDED:
            self._attempt_ended(record, info)
        else:
            self._still_going(record, info)

    def withdraw(self, record: Record) -> None:
        """Its manifest left the active set: stop what runs, then drop the object."""
        if record.deployment in ("Initializing", "Running"):
            info = self._ray.status(_submission(record))
            if info is None and self._may_still_arrive(record):
                return
            if info is not None and info.status not in ENDED:
                self._ray.stop(_submission(record))
                return
        self._cluster.remove(record.job_id)

    def _may_still_arrive(self, record: Record) -> bool:
        """Whether a submission that nobody answered could reach this Ray yet, and run unseen."""
        young = time.time() < record.not_before + ARRIVAL_SECONDS
        return young and record.session == self._ray.session()

    def _submit(self, record: Record) -> None:
        try:
            job = local_job(record.rayjob)
            image = self._images / job.image
            python = image / "environments" / "main" / "bin" / "python"
            if not python.exists() or not (image / "bin" / "launcher").exists():
                raise InputError(f"the image {job.image} is not on this machine; build it again")
            wrapper = _write_wrapper(job, python)
            entrypoint = "exec " + shlex.join([str(image / "bin" / "launcher"), *job.arguments])
            self._ray.submit(
                _submission(record),
                entrypoint,
                {"py_executable": shlex.quote(str(wrapper))},
                {"job_id": job.job_id, "team": job.team},
            )
        except InputError as error:
            self._finish(record, str(error), "ValidationFailed")
        except (WorkError, OSError) as error:
            self._attempt_failed(record, f"could not be started: {error}")

    def _still_going(self, record: Record, info: RayJobInfo) -> None:
        now = datetime.now(UTC)
        if info.status == "RUNNING" and record.deployment != "Running":
            record = self._cluster.put(replace(record, rayjob=status.running(record.rayjob, now)))
        elif record.status.get("message") and record.stopping is None:
            record = self._cluster.put(replace(record, rayjob=status.note(record.rayjob, None)))
        if record.stopping is None and (cause := _overdue(record, now)):
            record = self._cluster.put(
                replace(record, stopping=cause, rayjob=status.note(record.rayjob, cause))
            )
        if record.stopping is not None:
            self._ray.stop(_submission(record))

    def _unknown_to_ray(self, record: Record) -> None:
        session = self._ray.session()
        if session == record.session:  # the intent was stored, the call never arrived
            self._submit(record)
            return
        claim = run_records.claim_of(local_job(record.rayjob).run_dir, _submission(record))
        if record.stopping is not None:
            self._finish(record, record.stopping, "DeadlineExceeded")
        elif claim is None:
            log.info("%s: Ray was restarted before the attempt began", record.job_id)
            self._submit(self._cluster.put(replace(record, session=session)))
        elif claim.done:
            self._succeed(record)
        else:
            self._attempt_failed(record, RAY_LOST)

    def _attempt_ended(self, record: Record, info: RayJobInfo) -> None:
        claim = run_records.claim_of(local_job(record.rayjob).run_dir, _submission(record))
        if claim is not None and record.deployment != "Running":  # it was over before the next look
            record = replace(record, rayjob=status.running(record.rayjob, datetime.now(UTC)))
        if info.status == "SUCCEEDED":
            self._succeed(record)
        elif record.stopping is not None:
            self._finish(record, record.stopping, "DeadlineExceeded", "STOPPED")
        elif info.status == "STOPPED":
            self._finish(record, "was stopped from outside the platform", "AppFailed", "STOPPED")
        else:
            superseded = info.exit_code == run_records.SUPERSEDED
            self._attempt_failed(record, _cause(info, claim), counted=not superseded)

    def _attempt_failed(self, record: Record, cause: str, *, counted: bool = True) -> None:
        failed = int(record.status.get("failed", 0)) + (1 if counted else 0)
        retries = local_job(record.rayjob).retries
        if failed > retries or record.attempt >= retries + UNCOUNTED_ATTEMPTS:
            self._finish(record, cause, "AppFailed")
            return
        pause = min(FIRST_PAUSE_SECONDS * 2 ** max(failed - 1, 0), LONGEST_PAUSE_SECONDS)
        message = f"attempt {record.attempt + 1} failed: {cause}; the next follows in {pause:g} s"
        log.info("%s: %s", record.job_id, message)
        self._cluster.put(
            replace(
                record,
                rayjob=status.retrying(record.rayjob, message, counted=counted),
                attempt=record.attempt + 1,
                session=None,
                not_before=time.time() + pause,
            )
        )

    def _succeed(self, record: Record) -> None:
        rayjob = status.complete(record.rayjob, datetime.now(UTC))
        self._cluster.put(replace(record, rayjob=rayjob))

    def _finish(self, record: Record, cause: str, reason: str, job_status: str = "FAILED") -> None:
        rayjob = status.failed(record.rayjob, datetime.now(UTC), cause, reason, job_status)
        self._cluster.put(replace(record, rayjob=rayjob))


def _submission(record: Record) -> str:
    return f"{record.job_id}-{record.attempt}"


def _cause(info: RayJobInfo, claim: run_records.Claim | None) -> str:
    """What the launcher recorded; without it, what Ray says."""
    if claim is not None and claim.cause is not None:
        return claim.cause
    lines = [line.strip() for line in info.message.splitlines() if line.strip()]
    return lines[-1][:500] if lines else f"Ray reports {info.status.lower()}"


def _overdue(record: Record, now: datetime) -> str | None:
    limit = local_job(record.rayjob).deadline_seconds
    started = (record.status.get("rayJobInfo") or {}).get("startTime")
    if limit is None or started is None:
        return None
    if (now - datetime.fromisoformat(started)).total_seconds() <= limit:
        return None
    return f"took longer than {duration(limit)}"


def _write_wrapper(job: LocalJob, python: Path) -> Path:
    """A script that is the job's Python: its variables, then the image's interpreter.

    Ray's own `env_vars` would expand `$NAME` in values and drop `${NAME}`. As `py_executable` the
    script serves the launcher and every task alike, and keeps values out of the process list.
    """
    folder = job.run_dir / ".local"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in job.environment.items()]
    text = "\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(str(python))} "$@"', ""])
    draft = folder / f"python.{os.getpid()}"
    draft.touch(mode=0o700)
    draft.write_text(text, encoding="utf-8")
    return draft.replace(folder / "python")
