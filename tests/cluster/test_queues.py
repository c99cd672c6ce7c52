"""Kueue shares machines out as pools.yaml and the teams' files say: each promise on the real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from admission_world import ARGO_CD, RAY, registry_of
from queue_world import Document, Queues, team
from testbed.objects import Objects
from testbed.waiting import wait_until

from ml_platform.job import Priority
from ml_platform.pools import Pool
from ml_platform.render import POOL

SPOT_NODE = {"cloud.google.com/gke-spot": "true"}


@pytest.fixture
def queues(
    admin: Objects, as_user: Callable[[str], Objects], request: pytest.FixtureRequest
) -> Iterator[Queues]:
    number = sorted(item.name for item in request.session.items).index(request.node.name)
    made = Queues(admin, as_user(ARGO_CD), registry_of(admin), f"q{number}")
    yield made
    made.close()


CPU = Pool(name="cpu", title="CPU", cpu=16, memory="64Gi", max_workers=4)


def gpus(workers: int, *, spot: bool = False) -> Pool:
    return Pool(
        name="gpu", title="GPU", cpu=8, memory="32Gi", gpus=1, max_workers=workers, spot=spot
    )


def test_a_team_gets_its_quota_and_waits_beyond_what_there_is(queues: Queues):
    queues.share([CPU, gpus(2)], [team("a", quota={"gpu": 2})])
    queues.submit("first", "a", "gpu", workers=2)
    queues.becomes_admitted("first")
    assert queues.flavors("first") == {"head": "cpu", "workers": "gpu", "submitter": "cpu"}
    queues.submit("second", "a", "gpu", workers=1)
    reason = wait_until(lambda: queues.reason("second"), "the reason why it waits")
    assert "1 GPU" in reason and queues.name("gpu") in reason
    assert queues.admitted() == {"first"}
    queues.cancel("first")
    queues.becomes_admitted("second")


def test_what_others_leave_is_borrowed_and_given_back_when_they_come(queues: Queues):
    queues.share([CPU, gpus(4)], [team("a", quota={"gpu": 2}), team("b")])
    queues.submit("b1", "b", "gpu", workers=2)
    queues.submit("b2", "b", "gpu", workers=2)
    queues.becomes_admitted("b1", "b2")
    queues.submit("a1", "a", "gpu", workers=2, priority=Priority.LOW)
    wait_until(lambda: "a1" in queues.admitted(), "the quota's owner to be admitted", 90)
    evicted = ({"b1", "b2"} - queues.admitted()).pop()
    assert queues.admitted() == {"a1", *({"b1", "b2"} - {evicted})}
    queues.says(evicted, "another team takes back its guaranteed quota")
    queues.cancel("a1")
    queues.becomes_admitted("b1", "b2", seconds=180)


def test_a_higher_priority_takes_a_lower_one_s_place_which_resumes_after_it(queues: Queues):
    queues.share([CPU, gpus(2)], [team("a", quota={"gpu": 2})])
    queues.submit("low", "a", "gpu", workers=2, priority=Priority.LOW)
    queues.becomes_admitted("low")
    queues.submit("normal", "a", "gpu", workers=2)
    queues.becomes_admitted("normal", seconds=90)
    low = queues.workload("low")
    assert low is not None
    (evictions,) = low["status"]["schedulingStats"]["evictions"]
    assert (evictions["reason"], evictions["count"]) == ("Preempted", 1)
    queues.says("low", "a job of its team with a higher priority needs its place")
    queues.submit("also-normal", "a", "gpu", workers=1)
    wait_until(lambda: queues.reason("also-normal"), "the reason why it waits")
    assert queues.admitted() == {"normal"}, "an equal priority takes nobody's place"
    queues.cancel("also-normal")
    queues.cancel("normal")
    queues.becomes_admitted("low", seconds=180)


@pytest.mark.parametrize(("weights", "shares"), [((1, 1), (2, 2)), ((3, 1), (3, 1))])
def test_two_teams_share_by_weight_what_is_nobody_s(
    queues: Queues, weights: tuple[float, float], shares: tuple[int, int]
):
    queues.share([CPU, gpus(4)], [team(n, weight=w) for n, w in zip("ab", weights, strict=True)])
    for number in range(4):
        queues.submit(f"a{number}", "a", "gpu", workers=1)
    queues.becomes_admitted("a0", "a1", "a2", "a3")
    for number in range(4):
        queues.submit(f"b{number}", "b", "gpu", workers=1)
    expected = dict(zip("ab", shares, strict=True))
    wait_until(
        lambda: Counter(job[0] for job in queues.admitted()) == expected,
        f"shares of {expected}",
        120,
        explain=lambda: str(sorted(queues.admitted())),
    )
    gone = next(job for job in ("a0", "a1", "a2", "a3") if job not in queues.admitted())
    queues.says(gone, "another team has had less than its share")


def test_spot_machines_are_used_before_those_that_stay(queues: Queues, admin: Objects):
    queues.share([CPU, gpus(2, spot=True)], [team("a", quota={"gpu": 2})])
    queues.submit("first", "a", "gpu", workers=2)
    queues.becomes_admitted("first")
    assert queues.flavors("first")["workers"] == "gpu-spot"
    queues.submit("second", "a", "gpu", workers=2)
    queues.becomes_admitted("first", "second")
    assert queues.flavors("second")["workers"] == "gpu"
    queues.submit("third", "a", "gpu", workers=1)
    reason = wait_until(lambda: queues.reason("third"), "the reason why it waits")
    assert "1 GPU" in reason and queues.name("gpu") in reason
    assert queues.admitted() == {"first", "second"}
    pods = {job: _pods(admin, job, queues.name("a")) for job in ("first", "second")}
    pool = {POOL: queues.name("gpu")}
    assert pods["first"]["workers"]["nodeSelector"] == {**pool, **SPOT_NODE}
    assert pods["second"]["workers"]["nodeSelector"] == pool
    for job, tolerated in (
        ("first", {*SPOT_NODE, "nvidia.com/gpu"}),
        ("second", {"nvidia.com/gpu"}),
    ):
        assert {t["key"] for t in pods[job]["workers"]["tolerations"]} == tolerated
        assert pods[job]["head"]["nodeSelector"] == {POOL: queues.name("cpu")}
        assert pods[job]["submitter"]["nodeSelector"] == {POOL: queues.name("cpu")}


def _pods(admin: Objects, job: str, owner: str) -> dict[str, Document]:
    """What Kueue has made of a job's pods, which it writes when it starts the admitted job."""

    def started() -> Document | None:
        spec: Document = admin.get(RAY, "RayJob", job, owner)["spec"]
        return None if spec.get("suspend") else spec

    spec = wait_until(started, f"{job} to be started")
    cluster = spec["rayClusterSpec"]
    return {
        "head": cluster["headGroupSpec"]["template"]["spec"],
        "workers": cluster["workerGroupSpecs"][0]["template"]["spec"],
        "submitter": spec["submitterPodTemplate"]["spec"],
    }
