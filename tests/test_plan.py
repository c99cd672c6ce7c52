"""What a submission would do, decided without any effect."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from service_world import ADA, REQUEST, TEAM, WORKLOAD

from ml_platform.errors import InputError, NotAllowedError
from ml_platform.job import JOB_ID_MAX, job_id, key_hash
from ml_platform.plan import Plan, Site, default_name, parse_request, plan_job
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Machine, parse_pools
from ml_platform.team import Team
from ml_platform.workload import Workload, load_workload

ROOT = Path(__file__).parents[1]
POOLS = parse_pools((ROOT / "gitops" / "pools.yaml").read_bytes()).sized_by(
    Machine(cpu=4, memory_mib=8192, gpus=0)
)


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    (tmp_path / "workload.yaml").write_text(WORKLOAD)
    return load_workload(tmp_path)


def _plan(workload: Workload, *, local: bool = True, key: str = "key", **changes: Any) -> Plan:
    teams = {
        name: Team(name=name, title=name, group=f"group:default/{name}") for name in (TEAM, "b")
    }
    reference = "registry.example.org/tiny@sha256:" + "0" * 64
    runs = RunStorage("file:///runs")
    site = Site(POOLS, teams, {}, lambda name, version: (reference, workload), runs, local)
    request = parse_request({**REQUEST, **changes})
    return plan_job(request, ADA, frozenset({TEAM}), key, date(2026, 11, 23), site)


def test_the_same_request_gives_the_same_manifest(workload: Workload):
    assert _plan(workload).text == _plan(workload).text
    assert _plan(workload).job_id != _plan(workload, key="other").job_id


def test_a_preset_fills_what_was_left_out(workload: Workload):
    plan = _plan(workload, preset="quick", workers=2)
    assert (plan.spec.workers, plan.spec.max_duration) == (2, "10m")
    assert plan.spec.parameters == {"text": "", "count": 3}


def test_an_unknown_preset_comes_with_those_that_exist(workload: Workload):
    with pytest.raises(InputError, match="no preset") as caught:
        _plan(workload, preset="slow")
    assert (caught.value.field, caught.value.hint) == ("preset", "it has: quick")


REFUSED = {
    "gpus": ({"gpus": 1}, "the pool laptop has no GPU, the job asks for 1"),
    "workers": ({"workers": 5}, "workers must be 1-4 on laptop, got 5"),
    "cpu": ({"workers": 3, "cpu": 2.0}, "3 workers together would need 6 CPU cores, laptop has 4"),
    "memory": ({"memory": "9Gi"}, "a worker would need 9216 MiB of memory, laptop has 8192 MiB"),
    "pool": ({"pool": "gpu-l4"}, "needs a cluster with NVIDIA L4"),
    "max_duration": ({"max_duration": "15d"}, "must be at most 14d"),
}


@pytest.mark.parametrize("field", REFUSED)
def test_what_can_never_run_is_refused_in_a_sentence_with_the_way_out(
    workload: Workload, field: str
):
    changes, sentence = REFUSED[field]
    with pytest.raises(InputError) as caught:
        _plan(workload, **changes)
    assert caught.value.field == field
    assert sentence in caught.value.message
    assert caught.value.hint or field == "max_duration"


def test_a_local_pool_does_not_exist_on_a_cluster(workload: Workload):
    with pytest.raises(InputError, match="only where the platform runs on one machine"):
        _plan(workload, local=False)


def test_a_cost_is_the_upper_bound_of_one_attempt(workload: Workload):
    plan = _plan(workload, local=False, pool="cpu-highmem", workers=2, max_duration="2h")
    assert plan.cost == pytest.approx(1.05 * 2 * 2)
    assert plan.cost_text() == "at most 4.20 USD per attempt"
    assert _plan(workload).cost_text() == "free: it runs on this machine"


def test_a_team_is_one_of_the_callers(workload: Workload):
    with pytest.raises(NotAllowedError):
        _plan(workload, team="b")
    with pytest.raises(InputError, match="there is no team"):
        _plan(workload, team="c")


@pytest.mark.parametrize("text", ["x" * 66_000, "é" * 11_000, "😀" * 5_500])
def test_parameters_that_no_environment_variable_holds_are_refused(workload: Workload, text: str):
    with pytest.raises(InputError) as caught:
        _plan(workload, parameters={"text": text})
    assert caught.value.field == "parameters"


def test_an_id_is_never_longer_than_kuberay_takes():
    hashed = key_hash(ADA, "key")
    assert len(job_id("a" * 31, date(2026, 1, 1), hashed)) == JOB_ID_MAX
    assert default_name("a" * 30 + "_bc") == "a" * 30
