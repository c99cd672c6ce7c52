"""Which pod of a job a log comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ml_platform.cluster.fields import entries, text
from ml_platform.cluster.starting import HEAD, SUBMITTER, WORKER, role_of
from ml_platform.errors import InputError, NotFoundError

Object = dict[str, Any]
OF_JOB = "job"  # no pod's: what the program wrote in all attempts
_SOURCE = re.compile(r"(submitter|head|worker-([0-9]{1,4}))\Z")
_WAITING = frozenset({"PodInitializing", "ContainerCreating"})


def pod_of(pods: Sequence[Object], job_id: str, source: str) -> Object:
    """The pod of the newest attempt that a source names; `pods` from the oldest to the newest.

    Raises InputError for what is no source, NotFoundError when there is no such pod.
    """
    found = _SOURCE.match(source)
    if not found:
        raise InputError(
            f"must be job, submitter, head or worker-<number>, got {source[:40]!r}", field="source"
        )
    role = source if found[2] is None else WORKER
    of_role = _of_role(pods, role)
    index = -1 if found[2] is None else int(found[2])
    try:
        return of_role[index]
    except IndexError:
        raise _no_pod(job_id, source, len(of_role)) from None


def sources_of(pods: Sequence[Object]) -> list[str]:
    """Every source that `pod_of` finds a pod for."""
    single = [role for role in (SUBMITTER, HEAD) if _of_role(pods, role)]
    return [*single, *(f"{WORKER}-{index}" for index in range(len(_of_role(pods, WORKER))))]


def _of_role(pods: Sequence[Object], role: str) -> list[Object]:
    found = [pod for pod in pods if role_of(pod) == role]
    return found if role == SUBMITTER else _newest_cluster(pods, found)


def container_of(pod: Object) -> str:
    """The container that has the log; raises NotFoundError while it has not begun."""
    name = text(next(iter(entries(pod, "spec", "containers")), {}), "name")
    for status in entries(pod, "status", "containerStatuses"):
        waiting = text(status, "state", "waiting", "reason")
        if text(status, "name") == name and waiting in _WAITING:
            raise NotFoundError(f"{text(pod, 'metadata', 'name')} has not begun ({waiting})")
    return name


def _newest_cluster(pods: Sequence[Object], of_role: list[Object]) -> list[Object]:
    """An old attempt's pods live on beside the new one's: only those of the newest head count."""
    newest = [_cluster(pod) for pod in pods if role_of(pod) in (HEAD, WORKER)][-1:]
    return sorted(
        (pod for pod in of_role if [_cluster(pod)] == newest),
        key=lambda pod: text(pod, "metadata", "name"),
    )


def _cluster(pod: Object) -> str:
    return text(pod, "metadata", "labels", "ray.io/cluster")


def _no_pod(job_id: str, source: str, there: int) -> NotFoundError:
    if there:
        return NotFoundError(
            f"{job_id} has {there} workers now, from worker-0 to worker-{there - 1}"
        )
    return NotFoundError(
        f"the {source} pod of {job_id} is not there: not made yet, or gone with its attempt",
        hint="the source `job` has what all attempts wrote",
    )
