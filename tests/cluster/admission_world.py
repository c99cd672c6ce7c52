"""What tests of admission start from: a team of the cluster, its registry, and a good job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from job_strategies import IDENTITY
from testbed.objects import ApiError, Objects

from ml_platform.job import JobSpec, Priority
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pool
from ml_platform.queues import NAMESPACE_QUEUE
from ml_platform.render import render

Manifest = dict[str, Any]
RAY, ADMISSION = "ray.io/v1", "admissionregistration.k8s.io/v1"
POLICIES = ("rayjob-shape", "rayjob-immutable", "rayjob-delete", "refresh-only")
ARGO_CD = "system:serviceaccount:argocd:argocd-application-controller"
KUEUE = "system:serviceaccount:kueue-system:kueue-controller-manager"
KUBERAY = "system:serviceaccount:ray-system:kuberay-operator"
BUCKET = RunStorage("gs://runs")
VOLUME = RunStorage("file:///var/runs", claim="runs")
# No node has it: what is really created here waits for ever and starts nothing.
NOWHERE = Pool(name="nowhere", title="No machine", cpu=8, memory="32Gi", gpus=1)


def a_team(admin: Objects) -> str:
    """The cluster's oldest team: younger ones are other tests', and may go at any time."""
    found = admin.list("v1", "Namespace", selector=NAMESPACE_QUEUE)
    assert found, "the cluster has no namespace of a team"
    oldest = min(found, key=lambda namespace: namespace["metadata"]["creationTimestamp"])
    return str(oldest["metadata"]["name"])


def registry_of(admin: Objects) -> str:
    """Where images may come from, as the cluster's site says."""
    policy = admin.get(ADMISSION, "ValidatingAdmissionPolicy", "rayjob-shape")
    (text,) = [v["expression"] for v in policy["spec"]["variables"] if v["name"] == "registry"]
    return str(text.strip("'"))


def good_manifest(admin: Objects, team: str | None = None) -> Manifest:
    """A job of a team that the cluster takes, and that waits for ever."""
    spec = JobSpec(
        name="job",
        team=team or a_team(admin),
        workload="tiny",
        version="v1",
        image=f"{registry_of(admin)}/tiny@sha256:" + "0" * 64,
        entrypoint=("python", "-m", "tiny"),
        pool=NOWHERE.name,
        workers=2,
        cpu=1.0,
        memory="1Gi",
        gpus=1,
        max_duration="1h",
        attempts=3,
        priority=Priority.LOW,
    )
    return render(spec, IDENTITY, NOWHERE, VOLUME)


def refusal(do: Callable[[], object]) -> str:
    """What a policy says when it refuses."""
    with pytest.raises(ApiError) as caught:
        do()
    assert caught.value.status == 422, caught.value
    return caught.value.message
