"""The SDK against a real service, and against connections that break."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from service_world import ADA, GROUPS, TEAM, Service, files_of

from ml_platform import (
    AuthenticationError,
    InputError,
    JobFailed,
    NotFoundError,
    PlatformClient,
    ServiceUnavailableError,
    WorkError,
)

_keys = (f"sdk-{number}" for number in itertools.count())


def client_of(
    service: Service, user: str = ADA, url: str | None = None, **options: float
) -> PlatformClient:
    token = service.backstage.token_of(user, *GROUPS[user])
    return PlatformClient(url or service.url, token, **options)


@pytest.fixture
def platform(shared_service: Service) -> Iterator[PlatformClient]:
    with client_of(shared_service) as client:
        yield client


def test_teams_say_who_belongs_to_them(platform: PlatformClient):
    mine = {team.name: (team.member, team.problems) for team in platform.teams()}
    assert mine[TEAM] == (True, [])
    assert (False, []) in mine.values()


def test_a_job_is_submitted_for_the_only_team_and_can_be_followed(platform: PlatformClient):
    job = platform.submit_job("tiny", "v1", parameters={"count": 1}, tags=["sdk"])
    assert job.page_url.endswith(f"/jobs/{job.id}")
    assert job.receipt is not None and job.receipt.commit
    assert job.status in ("submitted", "queued")
    assert job.view.team == TEAM
    assert job.view.spec.parameters["count"] == 1
    assert f"name: {job.id}" in job.manifest()
    assert platform.get_job(job.id).view.id == job.id


def test_a_plan_changes_nothing(platform: PlatformClient, shared_service: Service):
    before = files_of(shared_service.git)
    plan = platform.plan_job("tiny", "v1", preset="quick", workers=None)
    assert plan.decision == "commit"
    assert "kind: RayJob" in plan.manifest
    assert plan.cost.text == "free: it runs on this machine"
    assert plan.spec.max_duration == "10m"
    assert files_of(shared_service.git) == before


def test_the_same_key_gives_the_same_job(platform: PlatformClient):
    key = next(_keys)
    first = platform.submit_job("tiny", "v1", idempotency_key=key)
    second = platform.submit_job("tiny", "v1", idempotency_key=key)
    assert first.id == second.id
    assert second.receipt is not None and second.receipt.already_existed


def test_without_a_single_team_the_sentence_names_them(shared_service: Service):
    local = PlatformClient(shared_service.url, shared_service.local_token)
    with local, pytest.raises(InputError, match=r"team: you are in several teams.*edge-plasma"):
        local.submit_job("tiny", "v1")


def test_a_wrong_field_comes_back_as_the_services_own_error(platform: PlatformClient):
    with pytest.raises(InputError, match=r"preset 'no'.*it has: quick") as caught:
        platform.submit_job("tiny", "v1", preset="no")
    assert caught.value.field == "preset"


def test_the_list_is_the_newest_first_and_ends_at_the_limit(platform: PlatformClient):
    ids = [platform.submit_job("tiny", "v1", name="listed").id for _ in range(3)]
    found = [job.id for job in platform.list_jobs(q="listed", limit=2)]
    assert len(found) == 2
    assert set(found) <= set(ids)
    assert {job.id for job in platform.list_jobs(q="listed")} == set(ids)


def test_a_job_is_found_by_its_tags(platform: PlatformClient):
    tagged = platform.submit_job("tiny", "v1", tags=["paper-2", "figure-3"])
    assert [job.id for job in platform.list_jobs(q="figure-3")] == [tagged.id]
    assert not list(platform.list_jobs(q="figure_3"))


def test_waiting_ends_when_the_job_ends_in_whatever_way(platform: PlatformClient):
    job = platform.submit_job("tiny", "v1")
    assert job.cancel("enough") == "cancelled"
    assert job.wait(timeout=10, poll=0.05).status == "cancelled"
    with pytest.raises(JobFailed, match=rf"{job.id} cancelled: Cancelled by ada: enough"):
        job.wait(timeout=10, check=True)
    assert job.cancel() == "cancelled"


def test_waiting_has_a_limit(platform: PlatformClient):
    job = platform.submit_job("tiny", "v1")
    with pytest.raises(TimeoutError, match=f"{job.id} is still"):
        job.wait(timeout=0.1, poll=0.05)


def test_changes_are_told_while_waiting(platform: PlatformClient):
    job = platform.submit_job("tiny", "v1")
    phases: list[str] = []
    cancel = threading.Timer(0.3, job.cancel)
    cancel.start()
    job.wait(timeout=20, poll=0.05, on_change=lambda view: phases.append(view.state.phase.value))
    cancel.join()
    assert phases[-1] == "cancelled"
    assert len(phases) >= 2


def test_results_metrics_and_logs_are_read(
    platform: PlatformClient, shared_service: Service, tmp_path: Path
):
    job = platform.submit_job("tiny", "v1")
    folder = shared_service.settings.runs_dir / job.id
    for name, content in {
        "attempts/0/claim.json": "{}",
        "metrics/0-00000.jsonl": '{"step": 1, "time": 1.0, "loss": 0.5}\n',
        "results/summary.json": '{"loss": 0.5}',
        "results/note.json": '"hello"',
        "results/50% of #1?.json": '"odd"',
        "logs/0.log": "one\ntwo\n",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert [row["loss"] for row in job.metrics().rows] == [0.5]
    assert job.metrics(after=job.metrics().cursor).rows == []
    assert job.results().summary == {"loss": 0.5}
    assert "note.json" in {file.path.rpartition("/")[2] for file in job.results().files}
    path = next(file.path for file in job.results().files if file.path.endswith("note.json"))
    assert job.download_result(path, tmp_path).read_text() == '"hello"'
    assert job.download_result("50% of #1?.json", tmp_path).read_text() == '"odd"'
    assert job.logs(tail=1) == "two\n"
    with pytest.raises(NotFoundError, match="runs no jobs"):
        job.logs(source="head")


def test_an_unknown_job_and_a_wrong_token_are_told_apart(
    platform: PlatformClient, shared_service: Service
):
    with pytest.raises(NotFoundError):
        platform.get_job("none-20260101-aaaaaa")
    with (
        PlatformClient(shared_service.url, "x" * 40) as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.me()


def test_without_a_token_the_way_to_one_is_named(
    shared_service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ML_PLATFORM_HOME", str(tmp_path))
    monkeypatch.delenv("ML_PLATFORM_TOKEN", raising=False)
    missing = pytest.raises(AuthenticationError, match=r"token\.json does not exist.*up")
    with PlatformClient(shared_service.url) as client, missing:
        client.me()


def test_a_service_that_is_down_is_named_at_once_with_the_fix():
    down = pytest.raises(ServiceUnavailableError, match=r"127\.0\.0\.1:9 .*`ml-platform up`")
    with PlatformClient("http://127.0.0.1:9", "token") as client, down:
        client.me()


@contextmanager
def breaking_proxy(port: int, marker: bytes, times: int) -> Iterator[str]:
    """Passes requests on, but drops the answers to the first `times` requests with `marker`."""
    left = itertools.count(times, -1)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    here, _ = listener.accept()
                except OSError:
                    return
                with here, socket.create_connection(("127.0.0.1", port)) as there:
                    _pass_one_request(here, there, marker, left)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


def _pass_one_request(
    here: socket.socket, there: socket.socket, marker: bytes, left: Iterator[int]
) -> None:
    request = b""
    while b"\r\n\r\n" not in request or len(request) < _length(request):
        request += here.recv(65536)
    there.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
    answer = b""
    while piece := there.recv(65536):
        answer += piece
    if marker not in request or next(left) <= 0:
        here.sendall(answer)


def _length(request: bytes) -> int:
    head, _, _ = request.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.split(b":")[1])
    return len(head) + 4


def test_a_broken_connection_is_tried_again_with_the_same_key_and_one_job(
    shared_service: Service, caplog: pytest.LogCaptureFixture
):
    port = int(shared_service.url.rpartition(":")[2])
    with (
        breaking_proxy(port, b"/v1/actions/ml:job:submit/run", 2) as url,
        client_of(shared_service, url=url) as client,
        caplog.at_level(logging.WARNING, "ml_platform.sdk"),
    ):
        before = sum(1 for _ in client.list_jobs())
        job = client.submit_job("tiny", "v1")
        assert sum(1 for _ in client.list_jobs()) == before + 1
    assert job.receipt is not None and job.receipt.already_existed
    said = [record.message for record in caplog.records]
    assert len(said) == 2  # once that it is silent, however often it is asked, and once the end
    assert "broke" in said[0] and "trying again for up to 25 s" in said[0]
    assert said[1].startswith("the platform answers again")


def test_a_connection_that_always_breaks_ends_in_a_sentence(shared_service: Service):
    port = int(shared_service.url.rpartition(":")[2])
    with (
        breaking_proxy(port, b"/v1/me", 100) as url,
        client_of(shared_service, url=url, patience=1.0) as client,
        pytest.raises(ServiceUnavailableError, match="does not answer"),
    ):
        client.me()


@contextmanager
def canned(answers: list[tuple[int, bytes]]) -> Iterator[str]:
    """A server that gives each answer to one connection, then is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)  # a client that does not come back fails its test, and no more

        def serve() -> None:
            for status, body in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
                    connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=10)


def test_a_busy_service_is_asked_again():
    busy = json.dumps(
        {"error": {"name": "ServiceUnavailableError", "message": "just starting"}}
    ).encode()
    me = b'{"user":"u","name":"n","teams":[],"kind":"user"}'
    with (
        canned([(503, busy), (503, busy), (200, me)]) as url,
        PlatformClient(url, "token") as client,
    ):
        assert client.me().user == "u"


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("said", [b"<html>Bad Gateway</html>", b'{"error": "no healthy upstream"}'])
def test_an_ingress_without_a_service_behind_it_is_asked_again(status: int, said: bytes):
    me = b'{"user":"u","name":"n","teams":[],"kind":"user"}'
    with (
        canned([(status, said), (200, me)]) as url,
        PlatformClient(url, "token") as client,
    ):
        assert client.me().user == "u"


@pytest.mark.parametrize("body", [b"<html>Welcome</html>\n", b"[]\n", b'{"type":1}\n'])
def test_a_server_that_is_no_platform_is_named(body: bytes):
    with (
        canned([(200, body)]) as url,
        PlatformClient(url, "token") as client,
        pytest.raises(WorkError, match=r"127\.0\.0\.1.*is this the address of an ML Platform"),
    ):
        client.submit_job("tiny", "v1", team=TEAM)
