"""What an admitted job is waiting for until its program runs, from its pods. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml_platform.cluster.fields import condition, entries, holds, mapping, shortened, text

_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_BROKEN = frozenset({"CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff"})
REFUSALS = frozenset(
    {"FailedCreate", "FailedToCreateHeadPod", "FailedToCreateWorkerPod", "FailedToCreateRayCluster"}
)
HEAD, WORKER, SUBMITTER = "head", "worker", "submitter"


def role_of(pod: Any) -> str:
    """head, worker or submitter."""
    return text(pod, "metadata", "labels", "ray.io/node-type") or SUBMITTER


def is_live(pod: Any) -> bool:
    """Whether a pod is there to stay: not ended, not being taken away."""
    ended = text(pod, "status", "phase") in ("Failed", "Succeeded")
    return not ended and "deletionTimestamp" not in mapping(pod, "metadata")


def pod_trouble(pods: Sequence[Any], events: Sequence[Any]) -> str | None:
    """What keeps a pod from running, if anything does that a person may want to know."""
    for pod in pods:
        if is_live(pod) and (trouble := _trouble(pod)):
            return trouble
    return _refusal(pods, events)


def starting_reason(pods: Sequence[Any], events: Sequence[Any], workers: int) -> str | None:
    """What is awaited between admission and the program's first word. `workers`: how many pods of
    workers there shall be, where that is known: some may not be made yet, or be made anew."""
    if trouble := pod_trouble(pods, events):
        return trouble
    live = [pod for pod in pods if is_live(pod)]
    heads = [pod for pod in live if role_of(pod) == HEAD]
    there = [pod for pod in live if role_of(pod) == WORKER]
    if not heads:
        leaving = any("deletionTimestamp" in mapping(pod, "metadata") for pod in pods)
        return (
            "Waits for the last attempt's pods to end." if leaving else "Its pods are being made."
        )
    if not holds(heads[0], "Ready"):
        return "The head of its Ray cluster is starting."
    ready, wanted = sum(holds(pod, "Ready") for pod in there), max(workers, len(there))
    if ready < wanted:
        return f"{ready} of {wanted} workers are ready."
    return "Its Ray cluster is ready; the program is being handed over."


def head_is_lost(pods: Sequence[Any]) -> bool:
    """Whether there were Ray pods and no head is left among them."""
    of_ray = [pod for pod in pods if role_of(pod) in (HEAD, WORKER)]
    return bool(of_ray) and not any(role_of(pod) == HEAD and is_live(pod) for pod in of_ray)


def _trouble(pod: Any) -> str | None:
    role = role_of(pod)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        said = shortened(text(scheduled, "message"))
        return f"No machine has room for the {role} yet (a pool may be growing): {said}"
    for container in (
        *entries(pod, "status", "initContainerStatuses"),
        *entries(pod, "status", "containerStatuses"),
    ):
        waiting = mapping(container, "state", "waiting")
        reason, said = text(waiting, "reason"), shortened(text(waiting, "message"))
        if reason in _PULL:
            return f"The image of the {role} cannot be pulled ({reason}): {said}"
        if reason in _BROKEN:
            return f"The {role}'s container does not start ({reason}): {said}"
    return None


def _refusal(pods: Sequence[Any], events: Sequence[Any]) -> str | None:
    """Pods that the API server refuses (quota, pod security) show up in events alone."""
    newest = max((text(pod, "metadata", "creationTimestamp") for pod in pods), default="")
    refused = [
        event
        for event in events
        if text(event, "reason") in REFUSALS and text(event, "lastTimestamp") > newest
    ]
    if not refused:
        return None
    last = max(refused, key=lambda event: text(event, "lastTimestamp"))
    return f"The cluster refuses its pods: {shortened(text(last, 'message'))}"
