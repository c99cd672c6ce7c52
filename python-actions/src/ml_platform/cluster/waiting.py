"""Why a job waits in its queue, in words, from Kueue's Workload and ClusterQueue. Pure."""

from __future__ import annotations

import re
from typing import Any

from ml_platform.cluster.fields import condition, entries, holds, mapping, shortened, text
from ml_platform.cluster.fields import count as number

_SHORT_OF = re.compile(r"insufficient unused quota for (\S+) in flavor (\S+), (\S+) more needed")
_TOO_LARGE = re.compile(
    r"insufficient quota for (\S+) in flavor (\S+?), .*?current podset request \((\S+)\) > "
    r"maximum capacity \((\S+)\)"
)
_NO_FLAVOR = "couldn't assign flavors to pod set"
_PREEMPTING = re.compile(r"Pending the preemption of (\d+) workload")
_QUEUE = re.compile(r"(LocalQueue|ClusterQueue) (\S+) (is inactive|doesn't exist|not found)")
_PREEMPTED = {
    "InClusterQueue": "a job of its team with a higher priority needs its place",
    "InCohortReclamation": "another team takes back its guaranteed quota",
    "InCohortFairSharing": "another team has had less than its share",
    "InCohortReclaimWhileBorrowing": "a job of another team with a higher priority needs its place",
}
_EVICTED = {
    "PodsReadyTimeout": "its pods were not ready in time",
    "AdmissionCheck": "an admission check was withdrawn",
    "ClusterQueueStopped": "its queue was stopped",
    "LocalQueueStopped": "its queue was stopped",
    "NodeFailures": "its machines failed",
    "Deactivated": "it was deactivated in the cluster",
}


def is_admitted(workload: Any) -> bool:
    return holds(workload, "Admitted")


def is_evicted(workload: Any) -> bool:
    """Whether it was sent back to its queue and is not admitted again."""
    return holds(workload, "Evicted")


def evictions(workload: Any) -> int:
    """How often an admitted job was sent back to its queue. KubeRay does not count these."""
    return sum(
        number(eviction, "count")
        for eviction in entries(workload, "status", "schedulingStats", "evictions")
    )


def queue_reason(workload: Any, queue: Any = None) -> str | None:
    """Why a job is not admitted. `queue`: its ClusterQueue, where known."""
    if not mapping(workload):
        return None
    if mapping(workload, "spec").get("active") is False:
        return "Is deactivated in the cluster: a person has set its Workload inactive."
    parts = [part for part in (_eviction(workload), _queue(workload, queue)) if part]
    return " ".join(parts) or None


def _eviction(workload: Any) -> str | None:
    evicted = condition(workload, "Evicted")
    if evicted.get("status") != "True":
        return None
    if evicted.get("reason") == "Preempted":
        why = _PREEMPTED.get(text(condition(workload, "Preempted"), "reason"), "others come first")
        return f"Was preempted: {why}. It goes on from its last checkpoint when there is room."
    why = _EVICTED.get(text(evicted, "reason")) or shortened(text(evicted, "message"))
    return f"Was sent back to its queue: {why}."


def _queue(workload: Any, queue: Any) -> str | None:
    reserved = condition(workload, "QuotaReserved")
    if reserved.get("status") == "True":
        return _checks(workload)
    message = text(reserved, "message")
    if message == text(condition(workload, "Evicted"), "message"):
        return None  # that it was evicted is said already
    if found := _QUEUE.search(message):
        return _bad_queue(found[1], found[2], found[3], queue)
    if found := _TOO_LARGE.search(message):
        resource, flavor, asked, most = found.groups()
        if not _SHORT_OF.search(message):
            what, unit = _amount(asked, resource), _unit(resource)
            return f"Can never start: asks for {what}, {flavor} has {most}{unit} for its team."
    if short := _shortage(message):
        return short
    pod_set, _, why = message.partition(": ")
    if pod_set.startswith(_NO_FLAVOR) and why:
        return f"No pool of its queue takes it: {shortened(why)}."
    return shortened(message) or None


def _shortage(message: str) -> str | None:
    """`Waits for 2 more GPUs in gpu-l4`, of each pool that would do."""
    found = _SHORT_OF.findall(message)
    if not found:
        return None
    needs = dict.fromkeys(f"{_amount(amount, what)} in {flavor}" for what, flavor, amount in found)
    sentence = f"Waits for quota: needs {_listed(list(needs))} more than is free."
    if preempting := _PREEMPTING.search(message):
        jobs = "job is" if preempting[1] == "1" else "jobs are"
        sentence += f" {preempting[1]} {jobs} being stopped for it."
    return sentence


def _bad_queue(kind: str, name: str, what: str, queue: Any) -> str:
    if what != "is inactive":
        return (
            f"Its {kind} {name} is not in the cluster; the platform's administrators apply it "
            f"from gitops/teams/{name}."
        )
    active = condition(queue, "Active")
    if active.get("reason") == "Stopped" or kind == "LocalQueue":
        return f"The queue {name} is stopped (stopPolicy); it goes on when that is taken back."
    why = shortened(text(active, "message")).rstrip(".") or "the ClusterQueue is inactive"
    return f"The queue {name} takes no jobs: {why}."


def _checks(workload: Any) -> str | None:
    """Quota is reserved, and something else is awaited: a node pool that grows, for example."""
    for check in entries(workload, "status", "admissionChecks"):
        if check.get("state") != "Ready":
            said = shortened(text(check, "message"))
            return f"Has quota and waits for the check {text(check, 'name')}" + (
                f": {said}" if said else "."
            )
    return None


def _amount(amount: str, resource: str) -> str:
    """`2 GPUs`, `500m CPU`, `4Gi of memory`."""
    if resource == "nvidia.com/gpu":
        return f"{amount} GPU" if amount == "1" else f"{amount} GPUs"
    return f"{amount}{_unit(resource)}"


def _unit(resource: str) -> str:
    return {"nvidia.com/gpu": "", "cpu": " CPU", "memory": " of memory"}.get(
        resource, f" of {resource}"
    )


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"
