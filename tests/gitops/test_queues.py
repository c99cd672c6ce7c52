"""What Kueue may share out: the arithmetic, the order of flavors, and the sentences of mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from gitops_tree import check
from hypothesis import assume, given
from hypothesis import strategies as st

from ml_platform.errors import InputError
from ml_platform.job import Priority, mebibytes
from ml_platform.pools import Pool, Pools
from ml_platform.queues import flavors, local_queue, queue_objects
from ml_platform.team import Team

LAPTOP = Pool(name="laptop", title="Here", local=True)
CPU = Pool(name="cpu", title="CPU", cpu=16, memory="128Gi", max_workers=4)
GPU = Pool(name="gpu", title="GPU", cpu=7.91, memory="30Gi", gpus=2, spot=True, max_workers=10)
POOLS = Pools(currency="USD", pools=(GPU, LAPTOP, CPU))


def _team(name: str, **more: Any) -> Team:
    return Team(name=name, title=name, group=f"group:default/{name}", **more)


A = _team("a", quota={"gpu": 3, "cpu": 1}, weight=2.5)
B = _team("b", quota={"gpu": 5})
C = _team("c")


def _quotas(queue: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    (group,) = queue["spec"]["resourceGroups"]
    assert group["coveredResources"] == ["cpu", "memory", "nvidia.com/gpu"]
    return {
        flavor["name"]: tuple(resource["nominalQuota"] for resource in flavor["resources"])
        for flavor in group["flavors"]
    }


def test_cpu_pools_are_tried_first_and_spot_before_machines_that_stay():
    assert [flavor.name for flavor in flavors(POOLS)] == ["cpu", "gpu-spot", "gpu"]


def test_a_quota_is_so_many_machines_that_stay_and_no_spot_ones():
    a, b, c = queue_objects(POOLS, [C, B, A])["cluster-queues"]
    assert [queue["metadata"]["name"] for queue in (a, b, c)] == ["a", "b", "c"]
    zero = ("0", "0", "0")
    assert _quotas(a) == {
        "cpu": ("16", "128Gi", "0"),
        "gpu-spot": zero,
        "gpu": ("23730m", "90Gi", "6"),
    }
    assert _quotas(b) == {"cpu": zero, "gpu-spot": zero, "gpu": ("39550m", "150Gi", "10")}
    assert _quotas(c) == {"cpu": zero, "gpu-spot": zero, "gpu": zero}


def test_what_no_team_holds_and_all_spot_machines_can_be_borrowed():
    (cohort,) = queue_objects(POOLS, [A, B, C])["cohorts"]
    assert cohort["metadata"]["name"] == "ml-platform"
    assert _quotas(cohort) == {
        "cpu": ("48", "384Gi", "0"),
        "gpu-spot": ("79100m", "300Gi", "20"),
        "gpu": ("15820m", "60Gi", "4"),
    }


def test_a_team_s_queue_serves_its_namespace_and_shares_by_weight():
    spec = queue_objects(POOLS, [A])["cluster-queues"][0]["spec"]
    assert spec["cohortName"] == "ml-platform"
    assert spec["namespaceSelector"] == {"matchLabels": {"ml-platform/queue": "a"}}
    assert spec["fairSharing"] == {"weight": "2500m"}
    assert spec["preemption"] == {
        "withinClusterQueue": "LowerPriority",
        "reclaimWithinCohort": "Any",
    }
    assert local_queue(A)["metadata"] == {"name": "a", "namespace": "a"}


def test_a_flavor_names_its_nodes_and_tolerates_what_keeps_others_off():
    cpu, spot, gpu = (flavor["spec"] for flavor in queue_objects(POOLS, [])["resource-flavors"])
    assert cpu == {"nodeLabels": {"ml-platform/pool": "cpu"}}
    assert spot["nodeLabels"] == {"ml-platform/pool": "gpu", "cloud.google.com/gke-spot": "true"}
    assert gpu["nodeLabels"] == {"ml-platform/pool": "gpu"}
    tolerated = [{taint["key"] for taint in flavor["tolerations"]} for flavor in (spot, gpu)]
    assert tolerated == [{"cloud.google.com/gke-spot", "nvidia.com/gpu"}, {"nvidia.com/gpu"}]
    for flavor in (spot, gpu):
        assert {taint["key"] for taint in flavor["nodeTaints"]} == {
            toleration["key"] for toleration in flavor["tolerations"]
        }


def test_every_priority_of_a_job_is_a_class_and_they_are_in_order():
    classes = queue_objects(POOLS, [])["priority-classes"]
    assert {c["metadata"]["name"]: c["value"] for c in classes} == {
        Priority.LOW: 100,
        Priority.NORMAL: 500,
        Priority.HIGH: 1000,
    }


def test_a_platform_without_a_pool_in_a_cluster_has_queues_that_admit_nothing():
    objects = queue_objects(Pools(currency="USD", pools=(LAPTOP,)), [C])
    assert objects["resource-flavors"] == []
    assert objects["cluster-queues"][0]["spec"]["resourceGroups"] == []


MISTAKES = {
    "a, b are promised 12 workers of gpu, it has 10": [
        _team("b", quota={"gpu": 9}),
        A,
    ],
    "there is no pool 'tpu'": [_team("a", quota={"tpu": 1})],
    "laptop is one machine and in no cluster": [_team("a", quota={"laptop": 1})],
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_a_promise_that_no_pool_can_keep_is_refused(sentence: str):
    with pytest.raises(InputError) as caught:
        queue_objects(POOLS, MISTAKES[sentence])
    assert caught.value.message == sentence
    assert caught.value.hint


def test_a_pool_that_is_called_like_another_s_spot_machines_is_refused():
    other = Pool(name="gpu-spot", title="Other", cpu=1, memory="1Gi")
    with pytest.raises(InputError, match="spot machines of gpu are called gpu-spot"):
        flavors(Pools(currency="USD", pools=(GPU, other)))


def _number(quantity: str) -> int:
    """In thousandths of a core, MiB or GPUs; only ever compared with its like."""
    if quantity.endswith("Ti"):
        return int(quantity[:-2]) * 1024**2
    if quantity.endswith(("Gi", "Mi")):
        return mebibytes(quantity)
    return int(quantity[:-1]) if quantity.endswith("m") else int(quantity) * 1000


@st.composite
def _pools(draw: st.DrawFn) -> Pools:
    names = draw(st.lists(st.sampled_from("stuvwxyz"), unique=True, min_size=1, max_size=4))
    found = []
    for name in names:
        gpus = draw(st.integers(0, 8))
        found.append(
            Pool(
                name=name,
                title=name,
                cpu=draw(st.integers(1, 200_000)) / 1000,
                memory=f"{draw(st.integers(1, 4000))}{draw(st.sampled_from(['Mi', 'Gi']))}",
                gpus=gpus,
                spot=bool(gpus) and draw(st.booleans()),
                max_workers=draw(st.integers(1, 1024)),
            )
        )
    return Pools(currency="USD", pools=tuple(found))


@given(pools=_pools(), data=st.data())
def test_teams_and_cohort_together_hold_every_machine_exactly_once(
    pools: Pools, data: st.DataObject
):
    teams = []
    for name in data.draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)):
        quota = data.draw(
            st.dictionaries(st.sampled_from([p.name for p in pools.pools]), st.integers(1, 300))
        )
        weight = data.draw(st.integers(10, 1_000_000)) / 1000
        teams.append(_team(name, quota=quota, weight=weight))
    promised = {
        pool.name: sum(team.quota.get(pool.name, 0) for team in teams) for pool in pools.pools
    }
    assume(all(promised[pool.name] <= pool.max_workers for pool in pools.pools))
    objects = queue_objects(pools, teams)
    for found in objects.values():
        for document in found:
            check(document)
    holders = [_quotas(holder) for holder in objects["cohorts"] + objects["cluster-queues"]]
    for flavor in flavors(pools):
        held = [sum(_number(holder[flavor.name][part]) for holder in holders) for part in range(3)]
        pool = flavor.pool
        assert held == [
            round(pool.cpu * 1000) * pool.max_workers,
            # `0` has no unit, and is nothing in any.
            pool.memory_mib * pool.max_workers,
            pool.gpus * pool.max_workers * 1000,
        ]
