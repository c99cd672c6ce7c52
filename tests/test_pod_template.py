"""The pods that a manifest asks for: what they get, what they may do and where they write."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from job_strategies import IDENTITY, job_specs

from ml_platform.errors import InputError
from ml_platform.job import HeadResources, JobSpec, mebibytes
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pool
from ml_platform.render import render

GPUS = Pool(name="gpu-l4", title="L4", cpu=8, memory="32Gi", gpus=1)
VOLUME = RunStorage("file:///var/run%20folders", claim="runs")


def _spec(**changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "name": "job",
        "team": "team",
        "workload": "tiny",
        "version": "v1",
        "image": "registry.example.org/tiny@sha256:" + "0" * 64,
        "entrypoint": ("python",),
        "pool": "gpu-l4",
        "workers": 2,
        "cpu": 1.5,
        "memory": "4Gi",
        "gpus": 1,
        "max_duration": "1h",
        "attempts": 1,
    }
    return JobSpec(**{**values, **changes})


def _pods(spec: JobSpec, runs: RunStorage = VOLUME) -> dict[str, dict[str, Any]]:
    job = render(spec, IDENTITY, GPUS, runs)["spec"]
    return {
        "head": job["rayClusterSpec"]["headGroupSpec"]["template"],
        "worker": job["rayClusterSpec"]["workerGroupSpecs"][0]["template"],
        "submitter": job["submitterPodTemplate"],
    }


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["spec"]["containers"]
    return dict(container)


def _start(spec: JobSpec, group: str) -> dict[str, str]:
    cluster = render(spec, IDENTITY, GPUS, VOLUME)["spec"]["rayClusterSpec"]
    groups = {"head": cluster["headGroupSpec"], "worker": cluster["workerGroupSpecs"][0]}
    return dict(groups[group]["rayStartParams"])


def test_the_head_gets_what_the_workload_asks_for():
    spec = _spec(head=HeadResources(cpu=2.5, memory="6Gi"))
    assert _container(_pods(spec)["head"])["resources"] == {
        "requests": {"cpu": "2.5", "memory": "6144Mi"},
        "limits": {"memory": "6144Mi"},
    }


def test_a_workload_that_says_nothing_has_a_small_head():
    assert _container(_pods(_spec())["head"])["resources"]["requests"] == {
        "cpu": "1",
        "memory": "2048Mi",
    }


def test_gpus_are_requested_and_limited_as_kubernetes_demands():
    resources = _container(_pods(_spec(gpus=2))["worker"])["resources"]
    assert resources["requests"] == {"cpu": "1.5", "memory": "4096Mi", "nvidia.com/gpu": "2"}
    assert resources["limits"] == {"memory": "4096Mi", "nvidia.com/gpu": "2"}
    assert _start(_spec(gpus=2), "worker")["num-gpus"] == "2"


@given(spec=job_specs())
def test_no_pod_is_throttled_and_none_takes_its_neighbours_memory(spec: JobSpec):
    for name, pod in _pods(spec).items():
        resources = _container(pod)["resources"]
        assert "cpu" in resources["requests"], name
        assert "cpu" not in resources["limits"], name
        assert resources["limits"]["memory"] == resources["requests"]["memory"], name


@given(spec=job_specs())
def test_every_pod_passes_restricted_pod_security(spec: JobSpec):
    for pod in _pods(spec).values():
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {next(iter(set(volume) - {"name"})) for volume in pod["spec"]["volumes"]} <= {
            "emptyDir",
            "persistentVolumeClaim",
        }
        assert _container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@given(spec=job_specs())
def test_a_read_only_root_leaves_ray_and_home_a_place_to_write(spec: JobSpec):
    for pod in _pods(spec).values():
        env = {entry["name"]: entry["value"] for entry in _container(pod)["env"]}
        (scratch,) = [m for m in _container(pod)["volumeMounts"] if m["name"] == "tmp"]
        assert env["HOME"] == env["RAY_TMPDIR"] == scratch["mountPath"]
        assert {"name": "tmp", "emptyDir": {}} in pod["spec"]["volumes"]


def test_a_volume_of_run_directories_is_mounted_where_jobs_write():
    pods = _pods(_spec())
    for name in ("head", "worker"):
        mounts = _container(pods[name])["volumeMounts"]
        assert {"name": "runs", "mountPath": "/var/run folders"} in mounts, name
        claim = {"name": "runs", "persistentVolumeClaim": {"claimName": "runs"}}
        assert claim in pods[name]["spec"]["volumes"], name
    assert [volume["name"] for volume in pods["submitter"]["spec"]["volumes"]] == ["tmp"]


def test_without_a_claim_nothing_is_mounted():
    for pod in _pods(_spec(), RunStorage("gs://runs")).values():
        assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["tmp"]


def test_a_claim_cannot_stand_for_a_bucket():
    with pytest.raises(InputError, match=r"runs_uri: must be a file URI .*got gs://runs"):
        RunStorage("gs://runs", claim="runs")


def test_the_ports_of_the_head_have_names():
    ports = {p["name"]: p["containerPort"] for p in _container(_pods(_spec())["head"])["ports"]}
    assert ports == {"gcs": 6379, "dashboard": 8265, "client": 10001, "metrics": 8080}
    assert "ports" not in _container(_pods(_spec())["submitter"])


def test_a_jobs_pods_are_found_by_their_labels():
    for pod in _pods(_spec()).values():
        labels = pod["metadata"]["labels"]
        assert labels["ml-platform/job-id"] == IDENTITY.job_id
        assert labels["app.kubernetes.io/managed-by"] == "ml-platform"


@pytest.mark.parametrize("memory", ["64Mi", "511Mi", "512Mi", "2Gi"])
def test_ray_starts_in_a_pod_whose_share_for_objects_would_be_too_small(memory: str):
    start = _start(_spec(memory=memory), "worker")
    needs_help = mebibytes(memory) < 512
    assert ("object-store-memory" in start) is needs_help
    assert "object-store-memory" not in _start(_spec(memory=memory), "head")


def test_ray_s_pods_are_asked_early_whether_they_are_ready():
    pods = _pods(_spec())
    for name in ("head", "worker"):
        probe = _container(pods[name])["readinessProbe"]
        assert probe["httpGet"] == {"path": "/api/healthz", "port": 52365}, name
        assert "dashboard-agent-listen-port" not in _start(_spec(), name), name
        assert probe["periodSeconds"] <= 2 and "initialDelaySeconds" not in probe, name
    assert "readinessProbe" not in _container(pods["submitter"])


def test_no_part_of_a_manifest_is_another_one_too():
    """Such a manifest would be written with YAML's anchors by most libraries, which the platform refuses."""
    manifest = render(_spec(), IDENTITY, GPUS, VOLUME)
    assert "&id" not in yaml.safe_dump(manifest)
