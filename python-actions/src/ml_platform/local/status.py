"""The `status` of a RayJob in KubeRay's words, written by the local agent. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

RayJob = dict[str, Any]


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _changed(rayjob: RayJob, **fields: Any) -> RayJob:
    """A copy with some fields of the status set; None removes one."""
    status = {**rayjob.get("status", {}), **fields}
    return {**rayjob, "status": {name: v for name, v in status.items() if v is not None}}


def applied(manifest: RayJob, uid: str, now: datetime) -> RayJob:
    """The manifest as the API server returns it, waiting for capacity."""
    metadata = {**manifest["metadata"], "uid": uid, "generation": 1}
    metadata["creationTimestamp"] = rfc3339(now)
    status = {"jobStatus": "", "jobDeploymentStatus": "Suspended", "failed": 0, "succeeded": 0}
    return {**manifest, "metadata": metadata, "status": status}


def note(rayjob: RayJob, message: str | None) -> RayJob:
    return _changed(rayjob, message=message)


def initializing(rayjob: RayJob, submission: str, now: datetime) -> RayJob:
    started = rayjob.get("status", {}).get("startTime") or rfc3339(now)
    return _changed(
        rayjob,
        jobId=submission,
        jobStatus="PENDING",
        jobDeploymentStatus="Initializing",
        message=None,
        startTime=started,
        rayJobInfo=None,
    )


def running(rayjob: RayJob, now: datetime) -> RayJob:
    return _changed(
        rayjob,
        jobStatus="RUNNING",
        jobDeploymentStatus="Running",
        message=None,
        rayJobInfo={"startTime": rfc3339(now)},
        firstStartTime=first_start(rayjob) or rfc3339(now),
    )


def first_start(rayjob: RayJob) -> str | None:
    """When the program of the first attempt began. KubeRay keeps the newest attempt's only; the
    archive tells from when the job ran."""
    found = rayjob.get("status", {}).get("firstStartTime")
    return str(found) if found else None


def retrying(rayjob: RayJob, message: str, *, counted: bool) -> RayJob:
    failed = rayjob.get("status", {}).get("failed", 0) + (1 if counted else 0)
    return _changed(
        rayjob,
        jobStatus="",
        jobDeploymentStatus="Retrying",
        message=message,
        failed=failed,
        rayJobInfo=None,
    )


def complete(rayjob: RayJob, now: datetime) -> RayJob:
    return _ended(rayjob, now, jobStatus="SUCCEEDED", jobDeploymentStatus="Complete", succeeded=1)


def failed(
    rayjob: RayJob, now: datetime, message: str, reason: str, job_status: str = "FAILED"
) -> RayJob:
    return _ended(
        rayjob,
        now,
        jobStatus=job_status,
        jobDeploymentStatus="Failed",
        message=message,
        reason=reason,
        failed=rayjob.get("status", {}).get("failed", 0) + 1,
    )


def invalid(rayjob: RayJob, now: datetime, message: str) -> RayJob:
    """Never started: the manifest itself is wrong."""
    return _ended(
        rayjob,
        now,
        jobStatus="",
        jobDeploymentStatus="ValidationFailed",
        message=message,
        reason="ValidationFailed",
    )


def _ended(rayjob: RayJob, now: datetime, **fields: Any) -> RayJob:
    info = rayjob.get("status", {}).get("rayJobInfo") or {}
    ended = rfc3339(now)
    if info:
        fields["rayJobInfo"] = {**info, "endTime": ended}
    return _changed(rayjob, **{"message": None, **fields, "endTime": ended})


def deleting(rayjob: RayJob, now: datetime) -> RayJob:
    metadata = {**rayjob["metadata"], "deletionTimestamp": rfc3339(now)}
    return {**rayjob, "metadata": metadata}
