"""pools.yaml, team.yaml and workload.yaml: a mistake names file and key, and stops only its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign_writer import push
from service_world import WORKLOAD, Service

from ml_platform.errors import InputError, NotFoundError
from ml_platform.pools import Machine, parse_pools
from ml_platform.team import parse_team
from ml_platform.workload import load_workload

POOLS = "currency: USD\npools:\n  - {name: here, title: Here, local: true}\n"
BAD_POOLS = {
    "currency": POOLS.replace("USD", "dollars"),
    "pools.0.name": POOLS.replace("here,", "He re,", 1),
    "pools.0.price": POOLS.replace("local", "price: 1, local"),
    "pools.0.price_per_worker_hour": POOLS.replace("local", "price_per_worker_hour: .inf, local"),
    "pools.0.gpus": POOLS.replace("local", "gpus: 17, local"),
    "pools.0: pool here: cpu and memory": POOLS.replace("true", "false"),
    "pools.0: pool here: spot is for": POOLS.replace("local", "spot: true, local"),
    "two pools have the same name": POOLS + "  - {name: here, title: Again, local: true}\n",
    "'currency' stands twice": POOLS + "currency: EUR\n",
    "anchors and aliases": POOLS + "x: &a 1\n",
    "not YAML": "currency: [",
    "valid dictionary": "",
}


@pytest.mark.parametrize("key", BAD_POOLS)
def test_a_mistake_in_pools_yaml_names_file_and_key(key: str):
    with pytest.raises(InputError) as caught:
        parse_pools(BAD_POOLS[key].encode())
    assert "gitops/pools.yaml" in caught.value.message
    assert key in caught.value.message


def test_a_local_pool_is_as_large_as_the_machine():
    pools = parse_pools(POOLS.encode()).sized_by(Machine(cpu=3, memory_mib=5000, gpus=1))
    assert (pools.get("here").cpu, pools.get("here").memory_mib, pools.get("here").gpus) == (
        3,
        5000,
        1,
    )
    with pytest.raises(InputError, match="no pool") as caught:
        pools.get("there")
    assert caught.value.hint == "there are: here"


TEAM = "name: t\ntitle: T\ngroup: group:default/t\n"
BAD_TEAMS = {
    "name": TEAM.replace("name: t", "name: other"),
    "group": TEAM.replace("group:default/t", "t"),
    "shards": TEAM + "shards: 0\n",
    "members": TEAM + "members: [ada]\n",
    "title": TEAM.replace("title: T\n", ""),
    "quota": TEAM + "quota: {gpu-l4: -1}\n",
    "weight": TEAM + "weight: 0\n",
    "cluster": TEAM + "cluster: https://10.0.0.1\n",
}


@pytest.mark.parametrize("name", ["argocd", "kueue-system", "kube-system", "default"])
def test_a_team_is_not_called_like_a_namespace_of_the_platform(name: str):
    with pytest.raises(InputError, match="choose another name"):
        parse_team(TEAM.replace("name: t", f"name: {name}").encode(), name)


@pytest.mark.parametrize("key", BAD_TEAMS)
def test_a_mistake_in_team_yaml_names_file_and_key(key: str):
    with pytest.raises(InputError, match=key) as caught:
        parse_team(BAD_TEAMS[key].encode(), "t")
    assert caught.value.field == "t"
    assert "teams/t/team.yaml" in caught.value.message


BAD_WORKLOADS = {
    "name": WORKLOAD.replace("name: tiny", "name: Tiny"),
    "entrypoint": WORKLOAD.replace("[python, -m, tiny]", "python -m tiny"),
    "entrypoint ": WORKLOAD.replace("-m, tiny", '-m, "$(HOME)"'),
    "`main` is missing": WORKLOAD.replace("main:", "other:"),
    "headline": WORKLOAD.replace("headline: loss", "headline: score"),
    "parameters": WORKLOAD.replace("type: object\n", "type: thing\n", 1),
    "$ref": WORKLOAD.replace("{type: boolean}", '{$ref: "http://127.0.0.1/x"}'),
    "presets.quick.workers": WORKLOAD.replace("workers: 1", "workers: no"),
    "14d": WORKLOAD.replace("10m", "99d"),
    "resources.memory": WORKLOAD.replace("64Mi", "64MB"),
    "presets.quick.color": WORKLOAD.replace("title: Quick,", "title: Quick, color: red,"),
    "metrics.loss.reference.when: there is no parameter colour": WORKLOAD.replace(
        "when: {count: 3}", "when: {colour: red}"
    ),
    "metrics.loss.reference.when.count": WORKLOAD.replace("when: {count: 3}", "when: {count: x}"),
    "metrics.loss.reference": WORKLOAD.replace("value: 0.25", "value: low"),
    "finite number": WORKLOAD.replace('default: ""', "default: .nan"),
    "date": WORKLOAD.replace('default: ""', "default: 2026-01-01"),
    "stands twice": WORKLOAD + "title: Again\n",
}


@pytest.mark.parametrize("key", BAD_WORKLOADS)
def test_a_mistake_in_workload_yaml_names_file_and_key(tmp_path: Path, key: str):
    (tmp_path / "workload.yaml").write_text(BAD_WORKLOADS[key])
    with pytest.raises(InputError) as caught:
        load_workload(tmp_path)
    assert caught.value.field == tmp_path.name
    assert "workload.yaml" in caught.value.message
    assert key.strip() in caught.value.message


def test_a_folder_without_workload_yaml_says_where_to_read_on(tmp_path: Path):
    with pytest.raises(NotFoundError) as caught:
        load_workload(tmp_path)
    assert caught.value.hint == "see workloads/README.md"


def test_parameters_are_defaults_then_preset_then_what_was_given(tmp_path: Path):
    (tmp_path / "workload.yaml").write_text(WORKLOAD)
    workload = load_workload(tmp_path)
    quick = workload.preset("quick")
    assert workload.resolve_parameters({}) == {"text": ""}
    assert workload.resolve_parameters({}, quick) == {"text": "", "count": 3}
    given = workload.resolve_parameters({"count": 4.0, "ratio": 4.0}, quick)
    assert repr(given) == "{'text': '', 'count': 4, 'ratio': 4.0}"
    for value in (True, "4", 4.5):
        with pytest.raises(InputError) as caught:
            workload.resolve_parameters({"count": value})
        assert caught.value.field == "parameters.count"


def test_a_bad_team_file_stops_that_team_and_no_other(service: Service):
    before = service.submitted("before")
    push(service.git, {"teams/edge-plasma/team.yaml": b"name: [\n"})
    assert service.submitted("after")["job_id"] != before["job_id"]
    line = service.submit("broken", user="user:default/eve", team="edge-plasma")
    assert line["error"]["name"] == "InputError"
    assert "teams/edge-plasma/team.yaml" in line["error"]["message"]


def test_bad_pools_stop_submissions_and_leave_jobs_readable(service: Service):
    job = service.submitted("before")["job_id"]
    push(service.git, {"pools.yaml": b"pools: 5\n"})
    line = service.submit("after")
    assert "gitops/pools.yaml" in line["error"]["message"]
    assert service.client().get(f"/v1/jobs/{job}").status_code == 200
    assert service.cancel(job)["output"]["state"] == "cancelled"
    push(service.git, {"pools.yaml": POOLS.replace("here", "laptop").encode()})
    assert service.submitted("after")["job_id"]
