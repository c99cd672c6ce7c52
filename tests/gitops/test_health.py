"""Argo CD's health checks: by their own cases, and by the table that `job_state` is held to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops_tree import TREE, kustomization
from hypothesis import given
from hypothesis import strategies as st
from job_strategies import PLAIN_TEXT
from lupa.lua51 import LuaRuntime

from ml_platform.job import Phase

HEALTH = TREE / "platform" / "argocd" / "health"
SCRIPTS = sorted(HEALTH.glob("*/*/health.lua"))
OWN_CASES = [
    pytest.param(script, case, id=f"{script.parent.name}/{Path(case['inputPath']).stem}")
    for script in SCRIPTS
    for case in yaml.safe_load((script.parent / "health_test.yaml").read_text("utf-8"))["tests"]
]
# What Argo CD shows for a job that stands so. A job that is not applied has no health there.
SHOWN = {
    Phase.QUEUED: "Suspended",
    Phase.STARTING: "Progressing",
    Phase.RUNNING: "Progressing",
    Phase.SUCCEEDED: "Healthy",
    Phase.FAILED: "Degraded",
}
TABLE = [
    case
    for path in sorted((Path(__file__).parents[1] / "contract" / "rayjobs").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
    if case["facts"].get("rayjob") is not None and "outcome" not in case["facts"]
    if case["facts"]["active"]
]


def _lua(value: Any, lua: LuaRuntime) -> Any:
    """An object as Argo CD hands it to a script: maps and lists are tables, null is nil."""
    if isinstance(value, dict):
        return lua.table_from({key: _lua(item, lua) for key, item in value.items()})
    if isinstance(value, list):
        return lua.table_from([_lua(item, lua) for item in value])
    return value


def _health(script: Path, obj: dict[str, Any]) -> dict[str, str]:
    lua = LuaRuntime()
    lua.globals()["obj"] = _lua(obj, lua)
    result = dict(lua.execute(script.read_text("utf-8")))
    assert result["status"] in {"Healthy", "Progressing", "Suspended", "Degraded"}
    return result


def _kind(script: Path) -> str:
    return f"{script.parent.parent.name}_{script.parent.name}"


def test_every_kind_that_a_page_shows_has_a_health_check():
    (generator,) = kustomization(HEALTH.parent)["configMapGenerator"]
    given_to_argo_cd = dict(line.split("=") for line in generator["files"])
    assert given_to_argo_cd == {
        f"resource.customizations.health.{_kind(script)}": f"health/{script.relative_to(HEALTH)}"
        for script in SCRIPTS
    }
    assert {_kind(script) for script in SCRIPTS} >= {
        "ray.io_RayJob",
        "ray.io_RayCluster",
        "kueue.x-k8s.io_Workload",
        "kueue.x-k8s.io_ClusterQueue",
        "kueue.x-k8s.io_LocalQueue",
    }


@pytest.mark.parametrize(("script", "case"), OWN_CASES)
def test_a_health_check_says_what_its_case_says(script: Path, case: dict[str, Any]):
    obj = yaml.safe_load((script.parent / case["inputPath"]).read_text("utf-8"))
    assert f"{obj['apiVersion'].split('/')[0]}_{obj['kind']}" == _kind(script)
    assert _health(script, obj) == case["healthStatus"]


def test_every_recorded_object_is_a_case():
    for script in SCRIPTS:
        cases = yaml.safe_load((script.parent / "health_test.yaml").read_text("utf-8"))["tests"]
        recorded = {f"testdata/{path.name}" for path in (script.parent / "testdata").iterdir()}
        assert recorded == {case["inputPath"] for case in cases}, script


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case["name"])
def test_argo_cd_shows_a_job_as_the_platform_does(case: dict[str, Any]):
    shown = _health(HEALTH / "ray.io" / "RayJob" / "health.lua", case["facts"]["rayjob"])
    phase = case.get("by_rayjob_alone", case["expect"]["phase"])
    assert shown["status"] == SHOWN[Phase(phase)]


def test_the_table_has_every_phase_that_argo_cd_can_show():
    assert {Phase(case["expect"]["phase"]) for case in TABLE} == set(SHOWN)


TEXTS_AND_NOTHING = st.none() | PLAIN_TEXT


@pytest.mark.parametrize("script", SCRIPTS, ids=_kind)
@given(state=TEXTS_AND_NOTHING, message=TEXTS_AND_NOTHING)
def test_a_status_of_a_later_version_has_a_health(script: Path, state: Any, message: Any):
    status = {
        "jobDeploymentStatus": state,
        "state": state,
        "message": message,
        "health": {"message": message},
        "conditions": [{"type": state or "Active", "status": state, "message": message}],
    }
    assert _health(script, {"spec": {}, "status": status})
