"""Two replicas of the service over one repository: any of them can be asked for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backstage_double import BackstageDouble
from service_world import ADA, GROUPS, REQUEST, Service, files_of, settings_in

from ml_platform import PlatformClient


@dataclass
class Chosen:
    """Who leads is the test's choice; `elsewhere` is where the other one is, when it is known."""

    leads: bool
    elsewhere: str | None = None

    def start(self) -> None:
        """Nobody need be asked."""

    def stop(self) -> None:
        """Nobody need be told."""

    def held(self) -> bool:
        return self.leads

    def address(self) -> str | None:
        return None if self.leads else self.elsewhere


@dataclass
class Pair:
    first: Service
    second: Service
    leader: Chosen
    standby: Chosen


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    backstage = BackstageDouble()
    leader, standby = Chosen(leads=True), Chosen(leads=False)
    settings = settings_in(tmp_path, backstage.url)
    first = Service(settings, backstage, leader)
    # A journal of its own: replicas share the repository, run directories and images only.
    second = Service(
        settings_in(tmp_path / "second", backstage.url).model_copy(
            update={
                "gitops_repository": settings.gitops_repository,
                "token_file": settings.token_file,
            }
        ),
        backstage,
        standby,
    )
    first.start()
    second.start()
    standby.elsewhere = first.url
    yield Pair(first, second, leader, standby)
    second.stop()
    if leader.leads:
        first.stop()
    backstage.close()


def _error(service: Service, key: str) -> dict[str, Any]:
    line = service.submit(key)
    assert line["type"] == "error", line
    return dict(line["error"])


def test_a_job_submitted_to_any_replica_is_there_at_once(pair: Pair):
    client = pair.second.client()
    for number in range(5):
        job_id = pair.second.submitted(f"key-{number}")["job_id"]
        assert client.get(f"/v1/jobs/{job_id}").json()["id"] == job_id
    again = pair.first.submitted("key-0")
    assert again["already_existed"]


def test_the_owner_is_who_asked_the_other_replica(pair: Pair):
    job_id = pair.second.submitted("key")["job_id"]
    assert pair.first.client().get(f"/v1/jobs/{job_id}").json()["owner"] == ADA


def test_a_shell_in_any_replica_is_the_owner_of_the_platform(pair: Pair):
    assert pair.second.local_token == pair.first.local_token
    me = pair.second.client_with(pair.second.local_token).get("/v1/me").json()
    assert me["user"] == "user:default/guest"


def test_streams_and_errors_pass_unchanged(pair: Pair):
    job_id = pair.first.submitted("key")["job_id"]
    with pair.second.client().stream("GET", "/v1/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        pair.second.cancel(job_id)
        for line in response.iter_lines():
            if job_id in line:
                break
    missing = pair.second.client().get("/v1/jobs/none-20260101-aaaaaa")
    assert (missing.status_code, missing.json()["error"]["name"]) == (404, "NotFoundError")
    log = pair.second.client().get(f"/v1/jobs/{job_id}/logs?follow=false&tail=1")
    assert log.status_code == 200


def test_a_stranger_is_not_passed_on(pair: Pair):
    pair.standby.elsewhere = "http://127.0.0.1:9"
    response = pair.second.client_with("stranger").post("/v1/actions/ml:job:submit/run")
    assert response.status_code == 401


def test_without_the_one_that_commits_reads_are_answered_and_writes_told_to_wait(pair: Pair):
    job_id = pair.first.submitted("key")["job_id"]
    pair.leader.leads = False
    pair.first.stop()
    client = pair.second.client()
    assert client.get(f"/v1/jobs/{job_id}").json()["id"] == job_id
    assert client.get("/readyz").status_code == 200
    before = files_of(pair.second.git)
    body = json.dumps({"input": REQUEST, "idempotencyKey": "next"}).encode()
    response = client.post("/v1/actions/ml:job:submit/run", content=body)
    assert response.status_code == 503
    assert response.json()["error"]["retryable"] is True
    assert files_of(pair.second.git) == before
    pair.standby.leads = True
    assert pair.second.submitted("next")["commit"]


def test_a_replica_that_knows_no_other_commits_nothing_either(pair: Pair):
    pair.standby.elsewhere = None
    error = _error(pair.second, "key")
    assert error["name"] == "ServiceUnavailableError"
    assert error["message"] == "this replica of the service does not commit now"


def test_two_that_each_take_the_other_for_the_one_end_in_an_error(pair: Pair):
    pair.leader.leads, pair.leader.elsewhere = False, pair.second.url
    assert _error(pair.second, "key")["name"] == "ServiceUnavailableError"
    pair.leader.leads = True


def test_a_lease_that_ends_while_a_batch_is_made_moves_nothing(pair: Pair):
    before = files_of(pair.first.git)
    pair.leader.elsewhere = None
    asked = iter([True, False])
    pair.first.platform.committer._may_commit = lambda: next(asked)
    assert _error(pair.first, "key")["name"] == "ServiceUnavailableError"
    assert files_of(pair.first.git) == before


def test_the_sdk_waits_out_a_change_of_the_one_that_commits(pair: Pair):
    pair.leader.leads = False
    asked = iter([False, False, False])

    def held() -> bool:
        return next(asked, True)

    pair.first.platform.committer._may_commit = held
    token = pair.first.backstage.token_of(ADA, *GROUPS[ADA])
    with PlatformClient(pair.second.url, token) as client:
        assert client.submit_job("tiny", "v1").receipt is not None
    pair.leader.leads = True
