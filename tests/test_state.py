"""How a job stands, by the table of cases that every other judge of it is held to as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from job_strategies import JSON

from ml_platform.job import Phase
from ml_platform.state import Facts, JobState, Outcome, job_state

CASES: list[dict[str, Any]] = [
    case
    for path in sorted((Path(__file__).parent / "contract" / "rayjobs").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_job_stands_as_the_table_says(case: dict[str, Any]):
    facts = dict(case["facts"])
    if "outcome" in facts:
        facts["outcome"] = Outcome.model_validate(facts["outcome"])
    expected = case["expect"]
    state = job_state(Facts(**facts))
    assert state == JobState(Phase(expected["phase"]), expected["reason"], expected["attempt"])


def test_the_table_has_every_phase_that_the_platform_gives():
    # No job waits for review yet: every submission is committed directly.
    assert {case["expect"]["phase"] for case in CASES} == set(Phase) - {Phase.WAITING_FOR_REVIEW}


@given(rayjob=JSON, around=JSON, items=st.lists(JSON, max_size=3))
def test_whatever_the_cluster_says_a_job_stands_somewhere(
    rayjob: Any, around: Any, items: list[Any]
):
    objects = {"workload": around, "queue": around, "application": around}
    facts = Facts(active=True, rayjob=rayjob, pods=items, events=items, **objects)
    for known in (facts, replace(facts, rayjob={"status": rayjob}, workload={"status": around})):
        state = job_state(known)
        assert isinstance(state.phase, Phase)
        assert state.attempt >= 0
