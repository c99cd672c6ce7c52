"""`/v1/events`: state changes arrive, once, from where the listener left off, of own teams only."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
from service_world import EVE, OTHER_TEAM, Service

from ml_platform.cluster.interface import Observed

Event = tuple[str, dict[str, object]]


def _events(response: httpx.Response) -> Iterator[Event]:
    """`(id, data)` of each event of the stream."""
    last = ""
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            last = value
        elif name == "data":
            yield last, json.loads(value)


def _phase(event: Event) -> tuple[str, str]:
    job = event[1]["job"]
    assert isinstance(job, dict)
    return job["id"], job["state"]["phase"]


def test_a_change_arrives_at_who_listens(service: Service):
    with service.client().stream("GET", "/v1/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = _events(response)
        job = service.submitted("a")["job_id"]
        assert _phase(next(events)) == (job, "submitted")
        status = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}
        service.platform.journal.observe(job, Observed({"metadata": {}, "status": status}))
        assert _phase(next(events)) == (job, "running")
        service.cancel(job)
        assert _phase(next(events)) == (job, "cancelled")


def test_who_comes_back_gets_what_was_missed(service: Service):
    client = service.client()
    with client.stream("GET", "/v1/events") as response:
        first = service.submitted("a")["job_id"]
        seen = next(_events(response))
        assert _phase(seen) == (first, "submitted")
    missed = [service.submitted(f"missed-{n}")["job_id"] for n in range(3)]
    service.cancel(missed[0])
    headers = {"Last-Event-ID": seen[0]}
    with client.stream("GET", "/v1/events", headers=headers) as response:
        events = _events(response)
        found = [_phase(next(events)) for _ in range(3)]
    assert sorted(found) == sorted(
        [(missed[0], "cancelled"), (missed[1], "submitted"), (missed[2], "submitted")]
    )


def test_a_long_absence_is_made_up_for_without_a_further_change(service: Service):
    client = service.client()
    first = service.submitted("a")["job_id"]
    journal = service.platform.journal
    start = journal.last_event()
    for number in range(1200):
        status = {"jobDeploymentStatus": "Suspended", "message": f"{number} ahead"}
        journal.observe(first, Observed({"metadata": {}, "status": status}))
    last = service.submitted("b")["job_id"]
    headers = {"Last-Event-ID": f"{journal.epoch()}:{start}"}
    with client.stream("GET", "/v1/events", headers=headers) as response:
        for event in _events(response):
            if _phase(event)[0] == last:
                break


def test_jobs_of_other_teams_are_not_told(service: Service):
    with service.client(EVE).stream("GET", "/v1/events") as response:
        events = _events(response)
        service.submitted("of-ada")
        mine = service.submitted("of-eve", user=EVE, team=OTHER_TEAM)["job_id"]
        assert _phase(next(events)) == (mine, "submitted")


def test_a_strange_last_event_id_begins_with_now(service: Service):
    service.submitted("a")
    for name in ("x", "x:1", f"{service.platform.journal.epoch()}:\u0661", "1" * 5000):
        headers = {"Last-Event-ID": name.encode()}
        with service.client().stream("GET", "/v1/events", headers=headers) as response:
            assert response.status_code == 200
            job = service.submitted(f"now-{name}"[:100].encode().hex())["job_id"]
            assert _phase(next(_events(response)))[0] == job
