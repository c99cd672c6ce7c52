"""What Kueue's quotas say of a pool: how much there is, and how much no admitted job holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from ml_platform.cluster.fields import entries, text
from ml_platform.cluster.interface import Capacity, Resources

Object = dict[str, Any]
_SPOT = "-spot"


def capacity_of(
    queues: Iterable[Object], cohorts: Iterable[Object], pool: str | None
) -> Capacity | None:
    """Quota of all queues and of the cohort together, since what one does not use others borrow.

    None when no quota names the pool. Flavors are called `<pool>` and `<pool>-spot`.
    """
    queues = list(queues)
    total, free, found = Resources(), Resources(), False
    for holder in (*queues, *cohorts):
        for name, amount in _nominal(holder):
            if pool in (None, name, name.removesuffix(_SPOT)):
                total, free, found = total + amount, free + amount, True
    for queue in queues:
        for flavor in entries(queue, "status", "flavorsReservation"):
            if pool in (None, text(flavor, "name"), text(flavor, "name").removesuffix(_SPOT)):
                free -= _amount(flavor, "total")
    return Capacity(total=total, free=free) if found else None


def _nominal(holder: Object) -> Iterator[tuple[str, Resources]]:
    for group in entries(holder, "spec", "resourceGroups"):
        for flavor in entries(group, "flavors"):
            yield text(flavor, "name"), _amount(flavor, "nominalQuota")


def _amount(flavor: Object, name: str) -> Resources:
    amounts = {
        text(resource, "name"): parse_quantity(str(resource.get(name, 0)))
        for resource in entries(flavor, "resources")
    }
    return Resources(
        cpus=round(float(amounts.get("cpu", 0)), 3),
        memory_mib=int(amounts.get("memory", 0) // 2**20),
        gpus=int(amounts.get("nvidia.com/gpu", 0)),
    )
