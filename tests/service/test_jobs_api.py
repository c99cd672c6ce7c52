"""The job API: what a user sees of their own teams' jobs, and nothing of others'."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from foreign_writer import push
from service_world import ADA, EVE, OTHER_TEAM, Service, content_of

from ml_platform.cluster.interface import Observed
from ml_platform.job import Phase
from ml_platform.repository.git import PLATFORM
from ml_platform.service.views import hops
from ml_platform.state import Outcome
from ml_platform.yaml_document import from_yaml


@pytest.fixture
def job(shared_service: Service, request: pytest.FixtureRequest) -> str:
    return str(shared_service.submitted(request.node.name[:190])["job_id"])


def _run_dir(service: Service, job: str) -> Path:
    folder = service.settings.runs_dir / job
    for name in ("logs", "metrics", "results", "attempts/0"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def test_a_job_shows_what_was_asked_and_where_it_stands(shared_service: Service, job: str):
    body = shared_service.client().get(f"/v1/jobs/{job}").json()
    assert body["id"] == job
    assert body["owner"] == ADA
    assert body["state"]["phase"] == "submitted"
    assert body["spec"]["parameters"] == {"text": ""}
    assert body["commit"]["author"] == "ada"
    assert body["hops"][0]["name"] == "submitted"


def test_the_manifest_is_the_committed_one_before_and_after_the_end(
    shared_service: Service, job: str
):
    client = shared_service.client()
    path = client.get(f"/v1/jobs/{job}").json()["path"]
    before = client.get(f"/v1/jobs/{job}/manifest")
    assert before.content == content_of(shared_service.git, path)
    assert shared_service.cancel(job)["output"]["state"] == "cancelled"
    after = from_yaml(client.get(f"/v1/jobs/{job}/manifest").content)
    assert after["metadata"]["annotations"].pop("ml-platform/outcome")
    assert after == from_yaml(before.content)


def test_the_manifest_of_a_job_that_was_removed_by_hand_can_still_be_read(service: Service):
    output = service.submitted("removed")
    content = content_of(service.git, output["path"])
    push(service.git, {output["path"]: None})
    service.platform.journal.sync(service.platform.repository, service.platform.repository.head())
    client = service.client()
    assert client.get(f"/v1/jobs/{output['job_id']}").json()["state"]["phase"] == "cancelled"
    assert client.get(f"/v1/jobs/{output['job_id']}/manifest").content == content


def test_only_a_job_that_has_ended_can_be_resumed_from(shared_service: Service, job: str):
    early = shared_service.submit("resumes", resume_from=job)["error"]
    assert (early["name"], early["field"]) == ("InputError", "resume_from")
    assert f"{job} has not ended" in early["message"]
    shared_service.cancel(job)
    resumed = shared_service.submitted("resumes", resume_from=job)["job_id"]
    body = shared_service.client().get(f"/v1/jobs/{resumed}").json()
    assert body["spec"]["resume_from"] == job


def test_nothing_of_another_teams_job_is_told(shared_service: Service, job: str):
    eve = shared_service.client(EVE)
    assert job not in eve.get("/v1/jobs?limit=500").text
    assert eve.get("/v1/jobs?team=stellarator-design").status_code == 403
    for part in ("", "/manifest", "/metrics", "/results", "/results/summary.json", "/logs"):
        response = eve.get(f"/v1/jobs/{job}{part}")
        assert response.status_code == 403, part
        assert set(response.json()) == {"error"}
    cancelled = shared_service.cancel(job, user=EVE)
    assert cancelled["error"]["name"] == "NotAllowedError"
    assert shared_service.run("ml:job:get", {"job_id": job}, user=EVE)[-1]["type"] == "error"
    for field in ("resume_from", "parent"):
        line = shared_service.submit(f"steal-{field}", user=EVE, team=OTHER_TEAM, **{field: job})
        assert (line["error"]["name"], line["error"]["field"]) == ("NotAllowedError", field)
    assert shared_service.client().get(f"/v1/jobs/{job}").json()["state"]["phase"] == "submitted"


def test_a_job_of_somebody_elses_team_cannot_be_started(shared_service: Service):
    line = shared_service.submit("not-mine", team=OTHER_TEAM)
    assert line["error"]["name"] == "NotAllowedError"
    assert line["error"]["field"] == "team"


def test_pages_of_the_list_show_every_job_once_newest_first(service: Service):
    made = [service.submitted(f"page-{number}")["job_id"] for number in range(7)]
    seen, cursor = [], ""
    while cursor is not None:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = service.client().get("/v1/jobs", params=query).json()
        assert page["total"] == 7
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


def test_the_list_can_be_of_jobs_that_have_ended_or_of_the_others(service: Service):
    stays, goes = (service.submitted(name)["job_id"] for name in ("stays", "goes"))
    service.cancel(goes)

    def listed(query: str) -> list[str]:
        page = service.client().get(f"/v1/jobs?{query}").json()
        assert page["total"] == len(page["items"])
        return [item["id"] for item in page["items"]]

    assert listed("ended=false") == [stays]
    assert listed("ended=true") == [goes]
    assert listed("ended=true&phase=cancelled") == [goes]
    assert listed("ended=true&phase=submitted") == []


def test_a_job_that_was_sent_back_has_the_rest_of_its_road_ahead(shared_service: Service, job: str):
    names = ("applied", "admitted", "cluster-ready", "running")
    times = dict.fromkeys(names, "2026-11-26T10:00:00+00:00")
    row = shared_service.platform.journal.get(job)
    row = replace(row, hops={**row.hops, **times})

    def passed(phase: Phase) -> list[str]:
        road = hops(replace(row, phase=phase), local=False)
        return [hop.name for hop in road if hop.at]

    assert passed(Phase.RUNNING) == ["submitted", *names]
    assert passed(Phase.QUEUED) == ["submitted", "applied"]
    assert passed(Phase.STARTING) == ["submitted", "applied", "admitted", "cluster-ready"]


def test_a_job_says_why_earlier_attempts_ended(shared_service: Service, job: str):
    attempts = _run_dir(shared_service, job) / "attempts"
    for number in range(3):
        (attempts / str(number)).mkdir(exist_ok=True)
        (attempts / str(number) / "claim.json").write_text("{}")
    (attempts / "1" / "exit.json").write_text('{"code": 1, "cause": "exit code 1"}')
    body = shared_service.client().get(f"/v1/jobs/{job}").json()
    lost = "was lost: Ray, or its machine, ended under it"
    assert body["earlier_attempts"] == [
        {"number": 0, "cause": lost},
        {"number": 1, "cause": "exit code 1"},
    ]
    running = next(hop for hop in body["hops"] if hop["name"] == "running")
    assert running["detail"] == f"attempt 1: {lost}; attempt 2: exit code 1"


def test_without_a_cluster_a_job_has_one_log(shared_service: Service, job: str):
    sources = shared_service.client().get(f"/v1/jobs/{job}").json()["log_sources"]
    assert sources == [{"name": "job", "title": "Program", "every_attempt": True}]


def test_teams_name_the_group_of_their_members(shared_service: Service):
    for team in shared_service.client().get("/v1/teams").json():
        assert team["group"] == f"group:default/{team['name']}"


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=-1", "cursor=%D9%A1", "limit=0", "limit=501", "phase=odd"]
)
def test_a_wrong_query_names_its_field(shared_service: Service, query: str):
    response = shared_service.client().get(f"/v1/jobs?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", "100%", "é", "a" * 200])
def test_a_search_takes_its_words_as_they_are(shared_service: Service, job: str, text: str):
    page = shared_service.client().get("/v1/jobs", params={"q": text}).json()
    assert all(text in item["id"] or text in item["owner"] for item in page["items"])


def test_cancelling_twice_ends_the_job_once(shared_service: Service, job: str):
    first = shared_service.cancel(job)["output"]
    again = shared_service.run("ml:job:cancel", {"job_id": job}, "another-key")[-1]["output"]
    assert again == first
    body = shared_service.client().get(f"/v1/jobs/{job}").json()
    assert body["state"]["phase"] == "cancelled"
    assert len(body["commits"]) == 2
    assert body["path"].startswith("archive/stellarator-design/")
    assert body["cause"] == "Cancelled by ada."


@pytest.mark.parametrize("seen_while_it_ran", [None, 0.5])
def test_the_figure_of_an_archived_job_is_that_of_its_summary_in_git(
    shared_service: Service, job: str, seen_while_it_ran: float | None
):
    if seen_while_it_ran is not None:
        last = {"name": "loss", "title": "Loss", "unit": "", "value": seen_while_it_ran}
        shared_service.platform.journal.set_headline(job, last)
    outcome = Outcome(phase=Phase.SUCCEEDED, summary={"loss": 0.25})
    shared_service.platform.committer.archive(job, outcome, PLATFORM).result(60)
    headline = shared_service.client().get(f"/v1/jobs/{job}").json()["headline"]
    assert headline == {"name": "loss", "title": "Loss", "unit": "", "value": 0.25}


def test_the_log_of_the_service_has_a_line_for_what_happens_to_a_job(
    shared_service: Service, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "ml_platform"):
        job = str(shared_service.submitted("logged")["job_id"])
        running = {"status": {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}}
        shared_service.platform.journal.observe(job, Observed(running))
        shared_service.cancel(job)
    lines = [record.message for record in caplog.records if job in record.message]
    added, began, cancelled = lines
    assert added.startswith(f"Add {job} for ada, commit ")
    assert began == f"{job} is running, attempt 1"
    assert cancelled.startswith(f"Cancel {job} for ada, commit ")


def test_an_unknown_job_is_not_found(shared_service: Service):
    for name in ("nothing", "a" * 5000, "%00", "%ff", "..%2f..", "%F0%9F%98%80", "'--"):
        response = shared_service.client().get(f"/v1/jobs/{name}")
        assert response.status_code in (404, 400), name
        assert response.json()["error"]["name"] in ("NotFoundError", "InputError")


def test_results_are_listed_and_served_without_becoming_pages(shared_service: Service, job: str):
    folder = _run_dir(shared_service, job)
    (folder / "results" / "plot.html").write_text("<script>alert(1)</script>")
    (folder / "results" / "summary.json").write_text('{"loss": NaN, "note": "\\ud800"}')
    client = shared_service.client()
    body = client.get(f"/v1/jobs/{job}/results").json()
    assert [file["path"] for file in body["files"]] == ["plot.html", "summary.json"]
    assert body["summary"] == {"loss": None, "note": "?"}
    assert client.get(f"/v1/jobs/{job}").json()["summary"] == body["summary"]
    response = client.get(f"/v1/jobs/{job}/results/plot.html")
    assert response.headers["content-security-policy"] == "sandbox"
    assert response.headers["x-content-type-options"] == "nosniff"


ELSEWHERE = [
    "../secret",
    "..%2fsecret",
    "%2e%2e/secret",
    "%2e%2e%2fsecret",
    "..%5csecret",
    "a/../../secret",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "link",
    "folder/passwd",
    "pipe",
    "x%00",
    "%ff",
    "a" * 5000,
    ".",
    "",
]


@pytest.mark.parametrize("name", ELSEWHERE, ids=[name[:20] for name in ELSEWHERE])
def test_a_result_outside_the_jobs_results_is_never_served(
    shared_service: Service, job: str, name: str
):
    folder = _run_dir(shared_service, job)
    (folder / "secret").write_text("treasure")
    (folder / "results" / "link").symlink_to(folder / "secret")
    (folder / "results" / "folder").symlink_to("/etc")
    os.mkfifo(folder / "results" / "pipe")
    response = shared_service.client().get(f"/v1/jobs/{job}/results/{name}")
    assert response.status_code in (404, 200)
    if response.status_code == 200:  # the client resolved the path: it is the list
        assert set(response.json()) == {"summary", "files"}
        assert response.json()["files"] == []
    assert "treasure" not in response.text


@pytest.mark.parametrize("name", ["logs", "metrics", "results"])
def test_a_folder_that_is_a_link_shows_nothing_of_where_it_leads(
    shared_service: Service, job: str, name: str
):
    folder = _run_dir(shared_service, job)
    outside = shared_service.settings.state_dir / f"outside-{name}"
    outside.mkdir()
    (outside / "0.log").write_text("secret")
    (outside / "0-0.jsonl").write_text('{"secret": 1}')
    (outside / "summary.json").write_text('{"secret": 1}')
    (folder / name).rmdir()
    (folder / name).symlink_to(outside)
    client = shared_service.client()
    assert "secret" not in client.get(f"/v1/jobs/{job}/{name}").text
    assert "secret" not in client.get(f"/v1/jobs/{job}").text
    assert client.get(f"/v1/jobs/{job}/results/summary.json").status_code == 404


def test_a_log_that_is_a_link_or_a_pipe_is_passed_over(shared_service: Service, job: str):
    logs = _run_dir(shared_service, job) / "logs"
    (logs / "0.log").symlink_to("/etc/passwd")
    os.mkfifo(logs / "1.log")
    (logs / "2.log").write_text("mine\n")
    assert shared_service.client().get(f"/v1/jobs/{job}/logs").text == "mine\n"


def test_metrics_come_with_a_cursor_that_gives_only_newer_rows(shared_service: Service, job: str):
    metrics = _run_dir(shared_service, job) / "metrics"
    rows = [{"step": n, "time": 1.0, "loss": 1 / (n + 1)} for n in range(4)]
    (metrics / "0-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    url = f"/v1/jobs/{job}/metrics"
    first = shared_service.client().get(url).json()
    assert first["rows"] == [{**row, "attempt": 0} for row in rows[:2]]
    text = "".join(json.dumps(row) + "\n" for row in rows[2:])
    (metrics / "0-1.jsonl").write_text(f"not json\n[1]\n{text}" + '{"loss": NaN}\n{"half')
    params = {"after": first["cursor"]}
    second = shared_service.client().get(url, params=params).json()
    assert second["rows"][:2] == [{**row, "attempt": 0} for row in rows[2:]]
    assert second["rows"][2:] == [{"loss": None, "attempt": 0}]
    params = {"after": second["cursor"]}
    assert shared_service.client().get(url, params=params).json()["rows"] == []


@pytest.mark.parametrize(
    ("parameters", "label"),
    [({"count": 3}, "three"), ({}, "empty"), ({"text": "other"}, None)],
)
def test_a_metric_is_compared_with_what_is_stated_for_the_job_s_parameters(
    parameters: dict[str, Any], label: str | None, shared_service: Service
):
    job = shared_service.submitted(f"compared-{label}", parameters=parameters)["job_id"]
    series = shared_service.client().get(f"/v1/jobs/{job}/metrics").json()["series"]
    reference = next(one for one in series if one["name"] == "loss")["reference"]
    assert (reference and reference["label"]) == label
