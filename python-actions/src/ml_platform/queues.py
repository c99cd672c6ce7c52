"""Pools and teams → the objects by which Kueue shares machines out. Pure.

A team's quota is guaranteed on machines that stay. What the teams' quotas leave of a pool, and all
of its spot machines, is quota of the cohort: any team borrows it, and Kueue's fair sharing gives
each its part by weight when several want it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ml_platform.errors import InputError
from ml_platform.job import Priority
from ml_platform.pools import Pool, Pools
from ml_platform.render import POOL
from ml_platform.team import Team

API = "kueue.x-k8s.io/v1beta2"
COHORT = "ml-platform"
NAMESPACE_QUEUE = "ml-platform/queue"
PRIORITIES = {Priority.LOW: 100, Priority.NORMAL: 500, Priority.HIGH: 1000}
_GPU = "nvidia.com/gpu"
_COVERED = ("cpu", "memory", _GPU)
_SPOT_NODE = "cloud.google.com/gke-spot"
_WAVE = "argocd.argoproj.io/sync-wave"


@dataclass(frozen=True)
class Flavor:
    """One kind of machine of a pool: those that stay, or the spot ones."""

    name: str
    pool: Pool
    spot: bool


def flavors(pools: Pools) -> list[Flavor]:
    """Every flavor in the order in which Kueue tries them.

    CPU pools come first, so that heads and submitters, which name no pool, stay off GPU machines;
    of one pool, spot machines come first.
    """
    in_cluster = [pool for pool in pools.pools if not pool.local]
    found = []
    for pool in sorted(in_cluster, key=lambda pool: pool.gpus > 0):
        if pool.spot:
            found.append(Flavor(f"{pool.name}-spot", pool, spot=True))
        found.append(Flavor(pool.name, pool, spot=False))
    names = [flavor.name for flavor in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"the spot machines of {name.removesuffix('-spot')} are called {name}, as a pool is",
                field="pools.yaml",
                hint="rename one of the two pools",
            )
    return found


def queue_objects(pools: Pools, teams: Sequence[Team]) -> dict[str, list[dict[str, Any]]]:
    """Kueue's cluster-wide objects for the teams of one cluster, by kind's plural."""
    check_quotas(pools, teams)
    kinds = flavors(pools)
    return {
        "resource-flavors": [_resource_flavor(flavor) for flavor in kinds],
        "priority-classes": [_priority_class(*item) for item in PRIORITIES.items()],
        "cohorts": [_cohort(kinds, teams)],
        "cluster-queues": [_cluster_queue(kinds, team) for team in _by_name(teams)],
    }


def local_queue(team: Team) -> dict[str, Any]:
    """The queue that a team's jobs name, in the team's namespace."""
    return {
        "apiVersion": API,
        "kind": "LocalQueue",
        "metadata": {"name": team.name, "namespace": team.name},
        "spec": {"clusterQueue": team.name},
    }


def check_quotas(pools: Pools, teams: Sequence[Team]) -> None:
    """Raise InputError when a cluster's teams are promised what its pools do not have."""
    for team in teams:
        for name in team.quota:
            _quota_pool(pools, team, name)
    for pool in pools.pools:
        promised = sum(team.quota.get(pool.name, 0) for team in teams)
        if promised > pool.max_workers:
            of = ", ".join(team.name for team in _by_name(teams) if pool.name in team.quota)
            raise InputError(
                f"{of} are promised {promised} workers of {pool.name}, it has {pool.max_workers}",
                field="quota",
                hint=f"lower a quota in teams/, or raise max_workers of {pool.name}",
            )


def _quota_pool(pools: Pools, team: Team, name: str) -> None:
    field = f"teams/{team.name}/team.yaml: quota.{name}"
    try:
        pool = pools.get(name)
    except InputError as error:
        raise InputError(error.message, field=field, hint=error.hint) from error
    if pool.local:
        raise InputError(
            f"{name} is one machine and in no cluster", field=field, hint="remove the line"
        )


def _by_name(teams: Iterable[Team]) -> list[Team]:
    return sorted(teams, key=lambda team: team.name)


def _resource_flavor(flavor: Flavor) -> dict[str, Any]:
    labels = {POOL: flavor.pool.name}
    taints = []
    if flavor.spot:
        # The taint keeps everything off spot machines that was not admitted to them.
        labels[_SPOT_NODE] = "true"
        taints.append({"key": _SPOT_NODE, "value": "true", "effect": "NoSchedule"})
    if flavor.pool.gpus:
        taints.append({"key": _GPU, "value": "present", "effect": "NoSchedule"})
    spec: dict[str, Any] = {"nodeLabels": labels}
    if taints:
        spec["nodeTaints"] = taints
        spec["tolerations"] = [
            {"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}
            for taint in taints
        ]
    return _object("ResourceFlavor", flavor.name, spec, wave=0)


def _priority_class(priority: Priority, value: int) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "WorkloadPriorityClass",
        "metadata": {"name": priority.value, "annotations": {_WAVE: "0"}},
        "value": value,
        "description": f"What a job of priority `{priority.value}` is queued with.",
    }


def _cohort(kinds: list[Flavor], teams: Sequence[Team]) -> dict[str, Any]:
    """The quota that belongs to no team."""
    left = {
        flavor.name: flavor.pool.max_workers
        - (0 if flavor.spot else sum(team.quota.get(flavor.pool.name, 0) for team in teams))
        for flavor in kinds
    }
    return _object("Cohort", COHORT, {"resourceGroups": _resource_groups(kinds, left)}, wave=1)


def _cluster_queue(kinds: list[Flavor], team: Team) -> dict[str, Any]:
    own = {
        flavor.name: 0 if flavor.spot else team.quota.get(flavor.pool.name, 0) for flavor in kinds
    }
    spec = {
        "cohortName": COHORT,
        "namespaceSelector": {"matchLabels": {NAMESPACE_QUEUE: team.name}},
        "queueingStrategy": "BestEffortFIFO",
        # The first flavor that has room is taken, borrowed or not; nobody is preempted for a
        # flavor while a later one has room.
        "flavorFungibility": {"whenCanBorrow": "MayStopSearch", "whenCanPreempt": "TryNextFlavor"},
        # With fair sharing Kueue allows no `borrowWithinCohort`: the shares decide.
        "preemption": {"withinClusterQueue": "LowerPriority", "reclaimWithinCohort": "Any"},
        "fairSharing": {"weight": _quantity(round(team.weight * 1000))},
        "resourceGroups": _resource_groups(kinds, own),
    }
    return _object("ClusterQueue", team.name, spec, wave=2)


def _resource_groups(kinds: list[Flavor], workers: dict[str, int]) -> list[dict[str, Any]]:
    """One group, so that all resources of a pod come from one flavor; none when there is no pool."""
    if not kinds:
        return []
    groups = [
        {"name": flavor.name, "resources": _resources(flavor.pool, workers[flavor.name])}
        for flavor in kinds
    ]
    return [{"coveredResources": list(_COVERED), "flavors": groups}]


def _resources(pool: Pool, workers: int) -> list[dict[str, str]]:
    """The quota of so many whole machines of a pool."""
    amounts = (
        _quantity(round(pool.cpu * 1000) * workers),
        _memory(pool.memory_mib * workers),
        str(pool.gpus * workers),
    )
    return [
        {"name": name, "nominalQuota": amount}
        for name, amount in zip(_COVERED, amounts, strict=True)
    ]


def _quantity(thousandths: int) -> str:
    """As Kubernetes writes it back, so that Argo CD sees no difference: `8`, `7910m`."""
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def _memory(mebibytes: int) -> str:
    if not mebibytes:
        return "0"
    for unit, size in (("Ti", 1024**2), ("Gi", 1024)):
        if mebibytes % size == 0:
            return f"{mebibytes // size}{unit}"
    return f"{mebibytes}Mi"


def _object(kind: str, name: str, spec: dict[str, Any], wave: int) -> dict[str, Any]:
    metadata = {"name": name, "annotations": {_WAVE: str(wave)}}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
