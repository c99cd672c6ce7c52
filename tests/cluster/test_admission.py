"""What the cluster itself refuses, whoever asks, and that it takes everything the platform writes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from admission_world import (
    ADMISSION,
    BUCKET,
    NOWHERE,
    POLICIES,
    VOLUME,
    Manifest,
    a_team,
    good_manifest,
    refusal,
    registry_of,
)
from bad_manifests import BAD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_strategies import submitted_jobs
from testbed.objects import Objects

from ml_platform.job import JobSpec
from ml_platform.pod_template import RunStorage
from ml_platform.render import Identity, render


@pytest.fixture(scope="module")
def good(admin: Objects) -> Manifest:
    return good_manifest(admin)


@pytest.fixture(scope="module")
def team(admin: Objects) -> str:
    return a_team(admin)


@pytest.fixture(scope="module")
def registry(admin: Objects) -> str:
    return registry_of(admin)


def test_all_policies_are_in_force_and_their_expressions_fit_the_types(admin: Objects):
    for name in POLICIES:
        policy = admin.get(ADMISSION, "ValidatingAdmissionPolicy", name)
        assert "expressionWarnings" not in policy["status"].get("typeChecking", {}), policy[
            "status"
        ]
        binding = admin.get(ADMISSION, "ValidatingAdmissionPolicyBinding", name)
        assert binding["spec"]["validationActions"] == ["Deny"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    job=submitted_jobs(),
    runs=st.sampled_from([BUCKET, VOLUME]),
    machine=st.fixed_dictionaries({"gpus": st.integers(0, 8), "spot": st.booleans()}),
)
def test_everything_that_the_platform_can_write_is_taken(
    job: tuple[JobSpec, Identity],
    runs: RunStorage,
    machine: dict[str, Any],
    admin: Objects,
    team: str,
    registry: str,
):
    spec, identity = job
    image = spec.image.replace("registry.example.org", registry)
    pool = NOWHERE.model_copy(update={"name": spec.pool, **machine})
    spec = spec.model_copy(update={"team": team, "image": image})
    admin.create(render(spec, identity, pool, runs), dry_run=True)


@pytest.mark.parametrize("wrong", BAD)
def test_a_job_is_refused_that_has(wrong: str, admin: Objects, good: Manifest):
    change, words = BAD[wrong]
    manifest = copy.deepcopy(good)
    change(manifest)
    assert manifest != good
    message = refusal(lambda: admin.create(manifest, dry_run=True))
    assert words in message and "rayjob-shape" in message


def test_a_job_is_refused_outside_the_namespaces_of_teams(admin: Objects, good: Manifest):
    manifest = copy.deepcopy(good)
    manifest["metadata"]["namespace"] = "default"
    manifest["metadata"]["labels"]["ml-platform/team"] = "default"
    message = refusal(lambda: admin.create(manifest, dry_run=True))
    assert "jobs run in namespaces of teams" in message
