"""Families 1-9 of bad inputs, through the real action on a real repository.

The oracle: a clear error that names a field and changes nothing; or exactly one new file, in its job
folder, whose manifest says what was asked. Either way the next good job goes through.
"""

# ruff: noqa: SIM905  # lists of these words would be mostly quotes

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pygit2
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from job_strategies import INVISIBLE, JSON, NASTY
from service_world import REQUEST, TEAM, Service, content_of, files_of

from ml_platform.local.kubernetes_expansion import expand_all
from ml_platform.render import SPEC
from ml_platform.yaml_document import from_yaml

_keys = (f"bad-{number}" for number in itertools.count())
PATH = re.compile(rf"jobs/{TEAM}/[0-9]{{3}}/[a-z][-a-z0-9]{{0,46}}\.yaml")
TEXTS = st.one_of(
    st.sampled_from(NASTY + INVISIBLE),
    st.text(st.characters(categories=None), max_size=30),  # with lone surrogates
    st.sampled_from(["x" * 70_000, "😀" * 12_000, "$" * 40_000]),
)
VALUES = st.one_of(
    TEXTS, JSON, st.sampled_from([float("nan"), float("inf"), 2**53 + 1, -0.0, 1e300])
)


@pytest.fixture(scope="module")
def world(shared_service: Service) -> Iterator[Service]:
    yield shared_service
    shared_service.submitted("good-one-at-the-end")


def check(service: Service, **changes: Any) -> dict[str, Any] | None:
    """Submit and hold the answer to the oracle; the committed spec, or None for an error."""
    before = files_of(service.git)
    line = service.submit(next(_keys), **changes)
    after = files_of(service.git)
    if line["type"] == "error":
        assert after == before
        assert line["error"]["name"] in ("InputError", "NotFoundError", "NotAllowedError"), line
        assert line["error"]["field"], line
        assert len(line["error"]["message"]) < 1000
        return None
    output = line["output"]
    assert {path: after.get(path) for path in before} == before
    assert set(after) - set(before) == {output["path"]}
    assert PATH.fullmatch(output["path"])
    text = content_of(service.git, output["path"], output["commit"])
    (manifest,) = list(yaml.safe_load_all(text))
    assert manifest == from_yaml(text)
    assert manifest["metadata"]["name"] == output["job_id"]
    assert manifest["metadata"]["namespace"] == TEAM
    return _asked(manifest, changes)


def _asked(manifest: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The manifest says what was asked, in its annotation and in what the training code gets."""
    spec: dict[str, Any] = json.loads(manifest["metadata"]["annotations"][SPEC])
    for field, value in changes.items():
        if field == "parameters":
            assert {name: repr(spec[field][name]) for name in value} == {
                name: repr(item) for name, item in value.items()
            }
        elif value is not None and value != ():
            assert spec.get(field, type(value)()) == value
            assert not isinstance(value, bool)
    worker = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]
    pairs = [(entry["name"], entry["value"]) for entry in worker["containers"][0]["env"]]
    env = expand_all(pairs)
    assert len(env) == len(pairs)
    assert json.loads(env["JOB_PARAMETERS"]) == spec["parameters"]
    assert {name: env[name] for name in spec["env"]} == spec["env"]
    return spec


@given(text=TEXTS)
@example(text="\ud800")
@example(text="a\n---\nkind: Secret\n")
def test_any_text_as_a_parameter(world: Service, text: str):
    check(world, parameters={"text": text})


@given(table=st.dictionaries(TEXTS, VALUES, max_size=3), items=st.lists(VALUES, max_size=3))
@example(table={"\ud800": 1}, items=[])
@example(table={"x": [[[[[[[[[[1]]]]]]]]]]}, items=[])
def test_any_structure_as_a_parameter(world: Service, table: dict[str, Any], items: list[Any]):
    check(world, parameters={"table": table, "items": items})


@given(name=TEXTS, value=VALUES)
def test_any_name_of_a_parameter(world: Service, name: str, value: Any):
    if name not in ("text", "items", "table", "ratio", "flag", "count"):
        assert check(world, parameters={name: value}) is None


ODD_NUMBERS: list[Any] = [
    *("no", "5", "1e3", "0x10", "~", "", True, False, None, 0, -1, -0.0, 1.5, 2.0, 1e400, 2**31),
    *(2**53 + 1, 2**63, 10**400, float("nan"), "1GB", "-1Gi", "0.0001", "1e-3", "0Gi", "1Gi\n", []),
    *("01h", "1h ", "15d", "99999d", "1w", "PT1H", "١h", {}, ["1"], "1_0Gi", "1.5Gi", "1Ki"),
]


@pytest.mark.parametrize("field", ["workers", "cpu", "gpus", "attempts", "memory", "max_duration"])
@pytest.mark.parametrize("value", ODD_NUMBERS, ids=repr)
def test_a_number_is_taken_only_as_what_it_is(world: Service, field: str, value: Any):
    if isinstance(value, int) and value == 10**400:
        value = 10**300  # Python itself writes no longer ones
    spec = check(world, **{field: value})
    if spec is not None and value is not None:
        assert field == "cpu" or (field, value) == ("gpus", 0), f"{field}={value!r} was taken"


NAMES = [
    *("", "a" * 31, "a" * 32, "a" * 47, "a" * 48, "a" * 63, "a" * 64, "a" * 253, "1a", "-a", "a-"),
    *("A", "Job", "jоb", "é", "e\u0301", "\u202eboj", "j\u200bob", "con", ".", "..", "a.b", "a_b"),
    *(
        "../x",
        "/etc",
        "..%2fx",
        "a\\b",
        ".git/x",
        "-rf",
        ".argocd-source.yaml",
        "kustomization.yaml",
    ),
    *("Chart.yaml", "x.jsonnet", "a.", "a ", " a", "a*", "a?", "[a]", "a\n", "a\0", "a/b", "@{u}"),
    *("refs/heads/x", "null", "true", "1e3", "~", "${{ x }}", "$(X)", "`id`", "a;b", "--address"),
]
FIELDS = ["name", "team", "workload", "version", "pool", "preset", "resume_from", "parent"]


@pytest.mark.parametrize("field", FIELDS)
def test_a_name_is_a_name(world: Service, field: str):
    for name in NAMES:
        spec = check(world, **{field: name})
        if spec is not None:
            assert field == "name"
            assert re.fullmatch("[a-z][-a-z0-9]{0,30}", name)


@given(field=st.sampled_from(FIELDS), text=TEXTS)
def test_any_text_as_a_name(world: Service, field: str, text: str):
    check(world, **{field: text})


@given(field=st.sampled_from([*FIELDS, "tags", "env", "parameters", "priority"]), value=VALUES)
def test_any_value_in_any_field(world: Service, field: str, value: Any):
    if field not in ("name", "tags", "env", "parameters") or not isinstance(
        value, str | dict | list
    ):
        check(world, **{field: value})


@given(env=st.dictionaries(TEXTS | st.from_regex(r"\A[A-Z]{1,5}\Z"), TEXTS, max_size=3))
@example(env={"A": "$(JOB_ID) $$(JOB_ID) ${JOB_ID} $JOB_ID"})
def test_any_environment(world: Service, env: dict[str, str]):
    check(world, env=env)


RESERVED = ["JOB_ID", "JOB_DIR", "RAY_ADDRESS", "LD_PRELOAD", "PYTHONPATH", "PATH", "HOME"]
RESERVED += [
    "KUBERNETES_SERVICE_HOST",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_VISIBLE_DEVICES",
    "A=B",
    "A B",
]


@pytest.mark.parametrize("name", RESERVED)
def test_the_platforms_own_variables_cannot_be_set(world: Service, name: str):
    assert check(world, env={name: "x"}) is None


@pytest.mark.parametrize("tag", [*NAMES[8:], "x" * 41, 5, None, True])
def test_a_tag_is_a_word(world: Service, tag: Any):
    if tag not in ("con", "1a", "null", "true", "1e3"):
        assert check(world, tags=[tag]) is None


FORBIDDEN = """namespace labels annotations ownerReferences finalizers generateName hostPath privileged
hostNetwork serviceAccountName priorityClassName tolerations nodeSelector volumes initContainers image
entrypoint runtimeEnvYAML rayStartParams owner queue suspend secrets spec head command args
argocd.argoproj.io/sync-options kueue.x-k8s.io/queue-name ray.io/overwrite-container-cmd""".split()


@pytest.mark.parametrize("field", [*FORBIDDEN, "", "\ud800", "a\nb", "__proto__", "x" * 100_000])
@pytest.mark.parametrize("value", ["x", {"pip": ["x"], "working_dir": "https://x"}, [], None])
def test_nothing_else_of_a_manifest_can_be_asked_for(world: Service, field: str, value: Any):
    assert check(world, **{field: value}) is None


@pytest.mark.parametrize("image", ["a", "latest", "v1@sha256:" + "0" * 64, "v1:x", "x/y:v1"])
def test_a_version_is_no_image_of_elsewhere(world: Service, image: str):
    assert check(world, version=image) is None


BODIES = {
    "empty": b"",
    "not json": b"{",
    "a list": b"[]",
    "null": b"null",
    "a thousand levels": b'{"input":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "a hundred thousand levels": b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of 10,000 digits": b'{"input": {"workers": ' + b"9" * 10_000 + b"}}",
    "bytes that are no text": b'{"input": {"name": "\xff\xfe"}}',
    "half a character as a key": b'{"\\ud800": 1, "input": {}}',
    "half a character in the input's key": b'{"input": {"\\ud800": 1}, "dryRun": true}',
    "an unknown field": b'{"input": {}, "x": 1}',
    "no input": b'{"idempotencyKey": "k"}',
    "secrets that are no text": b'{"input": {}, "secrets": {"a": 1}}',
    "3 MB": b'{"input": {"name": "' + b"x" * 3_000_000 + b'"}}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_request_is_refused(world: Service, name: str):
    before = files_of(world.git)
    response = world.client().post("/v1/actions/ml:job:submit/run", content=BODIES[name])
    assert response.status_code == 400
    assert response.json()["error"]["name"] == "InputError"
    assert len(response.content) < 2000
    assert files_of(world.git) == before


def test_a_body_without_a_length_is_cut_off(world: Service):
    chunks = (b"x" * 100_000 for _ in range(40))
    response = world.client().post("/v1/actions/ml:job:submit/run", content=chunks)
    assert response.status_code == 400


USERS = [
    "a\nb",
    "Eve <e@x>",
    "a>b",
    "x\0y",
    "Ada; Signed-off-by: Eve",
    "é",
    "\u202eada",
    "-rf",
    " ",
    "@all",
]


@pytest.mark.parametrize("name", USERS)
def test_a_strange_user_name_forges_nothing_in_git(world: Service, name: str):
    user = f"user:default/{name}"
    token = world.backstage.token_of(user, f"group:default/{TEAM}")
    body = {"input": REQUEST, "idempotencyKey": next(_keys)}
    response = world.client_with(token).post("/v1/actions/ml:job:submit/run", json=body)
    line = json.loads(response.text.splitlines()[-1])
    assert line["type"] == "output", line
    commit = pygit2.Repository(str(world.git))[line["output"]["commit"]]
    assert commit.message == f"Add {line['output']['job_id']}\n"
    assert re.fullmatch(r"[\w .,'()&+/:-]+", commit.author.name)
    assert re.fullmatch(r"[A-Za-z0-9._-]+@default\.users\.invalid", commit.author.email)
    manifest = from_yaml(content_of(world.git, line["output"]["path"]))
    assert manifest["metadata"]["annotations"]["ml-platform/owner"] == user
