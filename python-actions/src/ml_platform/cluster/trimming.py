"""What is kept of an API server's objects: what state and pages need, in the same shapes. Pure.

A RayJob, its Workload and its pods are some 20 KB of templates that say nothing about how a job
stands; ten thousand of them would be memory and journal spent on nothing.
"""

from __future__ import annotations

from typing import Any

from ml_platform.cluster.application import REFRESH, folder_of
from ml_platform.cluster.fields import entries, mapping, text
from ml_platform.cluster.starting import REFUSALS
from ml_platform.render import JOB_ID

Object = dict[str, Any]
_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")
_POD_LABELS = ("ray.io/node-type", "ray.io/cluster", "job-name", JOB_ID)
_RAY_CLUSTER = ("state", "reason", "stateTransitionTimes", "desiredWorkerReplicas")
_MESSAGE_HEAD, _MESSAGE_TAIL = 200, 1800
_RETRY = " Retrying attempt"


def rayjob(item: Object) -> Object:
    spec, status = mapping(item, "spec"), mapping(item, "status")
    cluster = _kept(mapping(status, "rayClusterStatus"), _RAY_CLUSTER)
    # A failed program's message ends with its last 20,000 characters; the cause is the last line.
    message = text(status, "message")
    if len(message) > _MESSAGE_HEAD + _MESSAGE_TAIL:
        message = f"{message[:_MESSAGE_HEAD]}\n…\n{message[-_MESSAGE_TAIL:]}"
    kept = {**status, "rayClusterStatus": cluster, "message": message}
    kept = {name: value for name, value in kept.items() if value not in ({}, "")}
    return {"metadata": _metadata(item), "spec": _kept(spec, ("suspend",)), "status": kept}


def workload(item: Object) -> Object | None:
    """A Workload of a RayJob, with its owner's name as `metadata.owner`."""
    owners = entries(item, "metadata", "ownerReferences")
    of_rayjob = [text(owner, "name") for owner in owners if owner.get("kind") == "RayJob"]
    if not of_rayjob:
        return None
    status = mapping(item, "status")
    kept = _kept(status, ("schedulingStats", "requeueState", "accumulatedPastExecutionTimeSeconds"))
    admission = mapping(status, "admission")
    if admission:
        flavors = [
            _kept(podset, ("name", "flavors")) for podset in entries(admission, "podSetAssignments")
        ]
        kept["admission"] = {**_kept(admission, ("clusterQueue",)), "podSetAssignments": flavors}
    checks = [
        _kept(check, ("name", "state", "message")) for check in entries(status, "admissionChecks")
    ]
    kept |= {"admissionChecks": checks} if checks else {}
    return {
        "metadata": {**_metadata(item), "owner": of_rayjob[0]},
        "spec": _kept(mapping(item, "spec"), ("queueName", "active", "priority")),
        "status": {**kept, "conditions": _conditions(item)},
    }


def pod(item: Object) -> Object | None:
    """A pod of a job."""
    labels = mapping(item, "metadata", "labels")
    if JOB_ID not in labels:
        return None
    status, spec = mapping(item, "status"), mapping(item, "spec")
    kept = _kept(status, ("phase", "reason", "message"))
    for name in ("initContainerStatuses", "containerStatuses"):
        found = [
            _kept(container, ("name", "ready", "restartCount", "state"))
            for container in entries(status, name)
        ]
        kept |= {name: found} if found else {}
    conditions = [c for c in _conditions(item) if c.get("type") in ("PodScheduled", "Ready")]
    containers = [{"name": text(container, "name")} for container in entries(spec, "containers")]
    return {
        "metadata": {**_metadata(item), "labels": _kept(labels, _POD_LABELS)},
        "spec": {**_kept(spec, ("nodeName",)), "containers": containers},
        "status": {**kept, "conditions": conditions},
    }


def event(item: Object) -> Object | None:
    """A warning that pods of a job cannot be made; pods themselves tell of everything else."""
    if text(item, "reason") not in REFUSALS:
        return None
    last = text(item, "lastTimestamp") or text(item, "eventTime")
    return {
        "metadata": _kept(mapping(item, "metadata"), ("namespace",)),
        "involvedObject": _kept(mapping(item, "involvedObject"), ("kind", "name")),
        "reason": text(item, "reason"),
        "message": text(item, "message")[:1000],
        "lastTimestamp": last,
    }


def queue(item: Object) -> Object:
    """A ClusterQueue: quotas, use, and whether it is active."""
    active = [c for c in _conditions(item) if c.get("type") == "Active"]
    return {
        "metadata": _metadata(item),
        "spec": _kept(mapping(item, "spec"), ("cohortName", "resourceGroups")),
        "status": {
            **_kept(mapping(item, "status"), ("flavorsReservation",)),
            "conditions": active,
        },
    }


def application(item: Object) -> Object | None:
    """An Application of a folder of jobs."""
    if not folder_of(item).startswith("jobs/"):
        return None
    status = mapping(item, "status")
    operation = mapping(status, "operationState")
    result = mapping(operation, "syncResult")
    refused = [
        _kept(entry, ("kind", "name", "status", "message"))
        for entry in entries(result, "resources")
        if entry.get("status") == "SyncFailed"
    ]
    conditions = [_kept(c, ("type", "message")) for c in entries(status, "conditions")]
    annotations = _kept(mapping(item, "metadata", "annotations"), (REFRESH,))
    return {
        "metadata": {"name": text(item, "metadata", "name"), "annotations": annotations},
        "spec": {"source": {"path": folder_of(item)}},
        "status": {
            "sync": _kept(mapping(status, "sync"), ("status", "revision")),
            "conditions": conditions,
            "operationState": {
                "phase": text(operation, "phase"),
                "message": text(operation, "message"),
                "operation": {
                    "sync": _kept(mapping(operation, "operation", "sync"), ("revision",))
                },
                "syncResult": {**_kept(result, ("revision",)), "resources": refused},
            },
        },
    }


def application_of_job(item: Object) -> Object:
    """What a job that is not applied keeps of its Application: nothing that changes at each turn,
    since a thousand jobs may wait for one."""
    status = mapping(item, "status")
    operation = mapping(status, "operationState")
    message = text(operation, "message")
    said, retry, _ = message.partition(_RETRY)
    operation = {**operation, "message": said + retry, "operation": {}}
    operation["syncResult"] = _kept(mapping(operation, "syncResult"), ("resources",))
    sync = _kept(mapping(status, "sync"), ("status",))
    return {
        "metadata": {"name": text(item, "metadata", "name")},
        "spec": mapping(item, "spec"),
        "status": {**status, "sync": sync, "operationState": operation},
    }


def _metadata(item: Object) -> Object:
    return _kept(mapping(item, "metadata"), _METADATA)


def _conditions(item: Object) -> list[Object]:
    names = ("type", "status", "reason", "message", "lastTransitionTime")
    return [_kept(condition, names) for condition in entries(item, "status", "conditions")]


def _kept(item: Object, names: tuple[str, ...]) -> Object:
    return {name: item[name] for name in names if name in item}
