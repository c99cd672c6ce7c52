"""What is committed is a RayJob as KubeRay publishes it, and one document that all parsers read alike."""

# ruff: noqa: SIM905  # lists of these words would be mostly quotes

from __future__ import annotations

import copy
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from gitops_tree import kinds
from hypothesis import given
from hypothesis import strategies as st
from job_strategies import IDENTITY, JSON, job_specs

from ml_platform.job import JobSpec
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pool
from ml_platform.render import SPEC, render
from ml_platform.yaml_document import from_yaml, to_yaml

VALIDATOR = kinds()["ray.io/v1/RayJob"]
LAPTOP = Pool(name="laptop", title="Here", local=True)
GPUS = Pool(name="gpu-l4", title="L4", cpu=8, memory="32Gi", gpus=1)


BUCKET = RunStorage("gs://runs")
VOLUME = RunStorage("file:///var/runs", claim="runs")
HERE = RunStorage("file:///runs")


def _manifest(spec: JobSpec, pool: Pool = LAPTOP, runs: RunStorage = HERE) -> dict[str, Any]:
    return render(spec, IDENTITY, pool, runs)


@given(
    spec=job_specs(),
    pool=st.sampled_from([LAPTOP, GPUS]),
    runs=st.sampled_from([BUCKET, VOLUME]),
)
def test_every_job_is_a_rayjob_that_kuberay_accepts(spec: JobSpec, pool: Pool, runs: RunStorage):
    VALIDATOR.validate(_manifest(spec, pool, runs))


@given(spec=job_specs())
def test_a_head_that_is_told_to_end_has_the_time_its_job_is_promised(spec: JobSpec):
    cluster = _manifest(spec)["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in cluster["workerGroupSpecs"]]
    head = cluster["headGroupSpec"]["template"]["spec"]
    (container,) = head["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["launcher", "--stop"]
    assert all("lifecycle" not in container for pod in pods for container in pod["containers"])
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    ray_waits = int(env["RAY_JOB_STOP_WAIT_TIME_S"])
    assert int(env["JOB_GRACE_SECONDS"]) < ray_waits <= head["terminationGracePeriodSeconds"]


@given(spec=job_specs())
def test_a_manifest_read_back_is_what_was_rendered(spec: JobSpec):
    manifest = _manifest(spec)
    text = to_yaml(manifest)
    assert from_yaml(text) == manifest
    assert list(yaml.safe_load_all(text)) == [manifest]
    assert JobSpec.model_validate_json(manifest["metadata"]["annotations"][SPEC]) == spec


@given(document=st.dictionaries(st.text(), JSON))
def test_any_text_and_number_survives_yaml(document: dict[str, Any]):
    text = to_yaml(document)
    assert text.isascii()
    assert from_yaml(text) == document
    assert repr(from_yaml(text)) == repr(document)  # 1 is not True, 1.0 is not 1
    assert list(yaml.safe_load_all(text)) == [document]


# What YAML 1.1, YAML 1.2, Go and JavaScript read in different ways when it stands bare.
AMBIGUOUS = """no on yes y n off true True TRUE null Null ~ .inf -.Inf .nan NaN 1e3 0x10 0o7 010 1_000
12:30:00 2026-01-01 1. .5 +1 -1 0b1 = << - -- --- ... ? : # & * ! | > % @ ` [ ] { } , ' " \\ 5 1:1
a:b !!python/object:os.system &a *a <<: %YAML""".split()
INVISIBLE = [
    "",
    " ",
    "a ",
    " a",
    "a: b",
    "a #b",
    "- a",
    "a\nb",
    "a\n",
    "\n",
    "\ta",
    "a\tb",
    "é",
    "😀",
]


@pytest.mark.parametrize("text", AMBIGUOUS + INVISIBLE)
def test_what_parsers_disagree_on_is_quoted(text: str):
    written = to_yaml({"key": text})
    assert from_yaml(written) == {"key": text}
    assert written.startswith('key: "'), written
    written = to_yaml({text: "value"})
    assert from_yaml(written) == {text: "value"}
    assert written.startswith(('"', '? "')), written


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all objects whose fields KubeRay knows by name."""
    found = []
    if isinstance(node, dict):
        free = path and path[-1] in ("labels", "annotations", "rayStartParams", "nodeSelector")
        if not free and (not path or path[-1] not in ("requests", "limits", "emptyDir")):
            found.append(path)
        for key, child in node.items():
            found += _paths(child, (*path, key))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            found += _paths(child, (*path, number))
    return found


SPEC_OF_TEST = JobSpec(
    name="job",
    team="team",
    workload="tiny",
    version="v1",
    image="registry.example.org/tiny@sha256:" + "0" * 64,
    entrypoint=("python",),
    pool="gpu-l4",
    workers=1,
    cpu=1.0,
    memory="1Gi",
    gpus=1,
    max_duration="1h",
    attempts=1,
)


@pytest.mark.parametrize("path", _paths(_manifest(SPEC_OF_TEST, GPUS, VOLUME)), ids=str)
def test_a_misspelt_field_is_found_wherever_it_stands(path: tuple[Any, ...]):
    manifest = copy.deepcopy(_manifest(SPEC_OF_TEST, GPUS, VOLUME))
    VALIDATOR.validate(manifest)
    node: Any = manifest
    for part in path:
        node = node[part]
    node["misspelt"] = "x"
    assert not VALIDATOR.is_valid(manifest)


def test_fields_that_would_break_queue_or_record_are_never_written():
    spec = _manifest(SPEC_OF_TEST)["spec"]
    assert "suspend" not in spec
    assert "deletionStrategy" not in spec
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert spec["submissionMode"] == "K8sJobMode"


def test_the_cluster_runs_the_ray_that_images_are_built_with():
    assert _manifest(SPEC_OF_TEST)["spec"]["rayClusterSpec"]["rayVersion"] == version("ray")
