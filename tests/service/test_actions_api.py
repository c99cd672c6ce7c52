"""The actions protocol over HTTP."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pygit2
import pytest
from foreign_writer import push
from pydantic import BaseModel
from service_world import REQUEST, Service, content_of, files_of

from ml_platform import actions
from ml_platform.actions import submit
from ml_platform.actions.context import ActionContext
from ml_platform.service import actions_api
from ml_platform.yaml_document import from_yaml

_keys = (f"key-{number}" for number in itertools.count())


def test_the_catalogue_shows_every_action_with_its_schemas(shared_service: Service):
    body = shared_service.client().get("/v1/actions").json()
    assert body["protocol"] == 1
    assert {action["id"]: action["readOnly"] for action in body["actions"]} == {
        "ml:job:submit": False,
        "ml:job:cancel": False,
        "ml:job:plan": True,
        "ml:job:get": True,
    }
    for action in body["actions"]:
        assert set(action) == {
            "id",
            "description",
            "input",
            "output",
            "examples",
            "supportsDryRun",
            "readOnly",
        }
        assert action["input"]["type"] == "object"
        assert action["input"]["additionalProperties"] is False


def test_a_run_is_logs_and_then_exactly_one_output(shared_service: Service):
    lines = shared_service.run("ml:job:submit", REQUEST, next(_keys))
    assert [line["type"] for line in lines] == ["log"] * (len(lines) - 1) + ["output"]
    assert len(lines) > 1
    output = lines[-1]["output"]
    assert output["entity_ref"] == f"resource:default/{output['job_id']}"
    assert output["page_url"].endswith(f"/jobs/{output['job_id']}")


def test_the_answer_carries_the_commit_that_holds_the_manifest(shared_service: Service):
    output = shared_service.submitted(next(_keys))
    manifest = from_yaml(content_of(shared_service.git, output["path"], output["commit"]))
    assert manifest["metadata"]["name"] == output["job_id"]
    commit = pygit2.Repository(str(shared_service.git))[output["commit"]]
    assert commit.author.name == "ada"
    assert commit.committer.name == "ML Platform"
    assert output["path"] not in commit.parents[0].tree


def test_a_wrong_field_is_an_error_that_names_it(shared_service: Service):
    line = shared_service.submit(next(_keys), workers=0)
    assert line["error"]["name"] == "InputError"
    assert line["error"]["field"] == "workers"


def test_an_unknown_pool_comes_with_those_that_exist(shared_service: Service):
    line = shared_service.submit(next(_keys), pool="gpu")
    assert line["type"] == "error"
    assert line["error"]["field"] == "pool"
    assert "laptop" in line["error"]["hint"]


def test_the_same_key_makes_one_job_and_one_commit(shared_service: Service):
    key = next(_keys)
    first = shared_service.submitted(key)
    before = files_of(shared_service.git)
    second = shared_service.submitted(key)
    assert second == {**first, "already_existed": True}
    assert files_of(shared_service.git) == before


def test_the_same_key_with_another_body_is_a_conflict(shared_service: Service):
    key = next(_keys)
    shared_service.submitted(key)
    line = shared_service.submit(key, parameters={"count": 1})
    assert line["error"]["name"] == "ConflictError"
    assert not line["error"]["retryable"]


def test_the_same_key_gives_its_job_even_when_the_pool_is_gone(service: Service):
    first = service.submitted("key")
    push(service.git, {"pools.yaml": b"currency: USD\npools: []\n"})
    assert service.submitted("key")["job_id"] == first["job_id"]


def test_keys_of_two_users_are_not_the_same_key(shared_service: Service):
    key = next(_keys)
    first = shared_service.submitted(key)
    second = shared_service.submitted(key, user="user:default/eve", team="edge-plasma")
    assert first["job_id"] != second["job_id"]


def test_a_dry_run_writes_nothing(shared_service: Service):
    before = files_of(shared_service.git)
    (*_, line) = shared_service.run("ml:job:submit", REQUEST, next(_keys), dry=True)
    assert line["output"]["commit"] is None
    assert files_of(shared_service.git) == before


@pytest.mark.parametrize("key", [None, "", "two words", "é", "x" * 201, "a\nb"])
def test_a_run_without_a_proper_key_is_refused(shared_service: Service, key: str | None):
    (line,) = shared_service.run("ml:job:submit", REQUEST, key)
    assert line["status"] == 400
    assert line["error"]["field"] == "idempotencyKey"


def test_what_only_reads_needs_no_key(shared_service: Service):
    line = shared_service.run("ml:job:plan", REQUEST)[-1]
    assert line["output"]["decision"] == "commit"
    assert from_yaml(line["output"]["manifest"])["kind"] == "RayJob"


def test_an_unknown_action_is_not_found(shared_service: Service):
    (line,) = shared_service.run("ml:job:explode", {}, "key")
    assert line["status"] == 404
    assert line["error"]["name"] == "NotFoundError"


@pytest.mark.parametrize("value", ["no", "false", 0, 1, None])
def test_a_dry_run_is_asked_for_with_true_or_false_only(shared_service: Service, value: Any):
    body = {"input": REQUEST, "dryRun": value, "idempotencyKey": next(_keys)}
    response = shared_service.client().post("/v1/actions/ml:job:submit/run", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "dryRun"


class _Slow:
    """An action of the test's own, that waits until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.effects = 0

    def run(self, request: BaseModel, ctx: ActionContext) -> submit.Output:
        self.begun.set()
        try:
            assert self.go.wait(30)
            ctx.stop_if_cancelled()
            self.effects += 1
            return submit.run(request, ctx)
        finally:
            self.ended.set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Slow]:
    slow = _Slow()
    module = SimpleNamespace(**{**vars(submit), "ID": "test:slow", "run": slow.run})
    monkeypatch.setitem(actions.ACTIONS, "test:slow", actions.Action.of(module))
    yield slow
    slow.go.set()


def _body(key: str) -> bytes:
    return json.dumps({"input": REQUEST, "idempotencyKey": key}).encode()


def test_a_slow_run_shows_that_it_is_alive(
    shared_service: Service, slow: _Slow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(actions_api, "HEARTBEAT_SECONDS", 0.02)
    url = "/v1/actions/test:slow/run"
    with shared_service.client().stream("POST", url, content=_body(next(_keys))) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines)) == {"type": "heartbeat"}
        slow.go.set()
        kinds = [json.loads(line)["type"] for line in lines]
    assert kinds.count("output") == 1
    assert kinds[-1] == "output"


def test_closing_the_connection_before_the_effect_cancels_the_run(
    shared_service: Service, slow: _Slow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(actions_api, "HEARTBEAT_SECONDS", 0.02)
    before = files_of(shared_service.git)
    cancelled = threading.Event()
    real = threading.Event.set

    class _Watched(threading.Event):
        def set(self) -> None:
            real(self)
            cancelled.set()

    monkeypatch.setattr(actions_api, "threading", SimpleNamespace(Event=_Watched), raising=True)
    url = f"{shared_service.url}/v1/actions/test:slow/run"
    headers = shared_service.client().headers
    with (
        httpx.Client(headers=headers, timeout=30) as client,
        client.stream("POST", url, content=_body(next(_keys))) as response,
    ):
        assert json.loads(next(response.iter_lines())) == {"type": "heartbeat"}
        assert slow.begun.wait(10)
    assert cancelled.wait(10)
    slow.go.set()
    assert slow.ended.wait(10)
    assert slow.effects == 0
    assert files_of(shared_service.git) == before


def test_an_input_schema_names_the_rule_of_an_optional_field_itself():
    # Backstage's validator says of an `anyOf` only that none of its parts fits.
    for action in actions.ACTIONS.values():
        for field in action.document["input"]["properties"].values():
            assert {"type": "null"} not in field.get("anyOf", [])


def test_the_log_tells_what_is_planned_before_it_is_committed(shared_service: Service):
    lines = shared_service.run("ml:job:submit", {**REQUEST, "workers": 1}, next(_keys))
    told = [line["message"] for line in lines if line["type"] == "log"]
    assert " on laptop, 1 worker, at most " in told[0]
    assert told[1].startswith("cost: ")
    assert "; start: " in told[1]
