"""Whoever waits for a job or follows its log outlasts a restart of the service."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backstage_double import BackstageDouble
from service_world import ADA, GROUPS, Service, settings_in

from ml_platform import Job, PlatformClient, ServiceUnavailableError
from ml_platform.connection import Patience

BEFORE, AFTER = "one\ntwo\n", "zwei\ntwo\nthree\n"


class Restartable:
    """A service that can be stopped and started at the same address."""

    def __init__(self, folder: Path) -> None:
        self._backstage = BackstageDouble()
        self._settings = settings_in(folder, self._backstage.url)
        self._service = Service(self._settings, self._backstage)
        self._service.start()
        self.url = self._service.url
        self.runs = self._settings.runs_dir
        self.client = PlatformClient(self.url, self._backstage.token_of(ADA, *GROUPS[ADA]))

    def stop(self) -> None:
        self._service.stop()

    def start(self) -> None:
        port = int(self.url.rpartition(":")[2])
        self._service = Service(self._settings, self._backstage, port=port)
        self._service.start()

    def close(self) -> None:
        self.client.close()
        self.stop()
        self._backstage.close()


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[Restartable]:
    world = Restartable(tmp_path)
    try:
        yield world
    finally:
        world.close()


def in_background(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def eventually(check: Callable[[], object], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it does not come true"
        time.sleep(0.02)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "ml_platform.sdk"]


def test_waiting_outlasts_a_restart_and_says_so_once(
    restartable: Restartable, caplog: pytest.LogCaptureFixture
):
    job = restartable.client.submit_job("tiny", "v1")
    ended: list[Job] = []
    waiting = in_background(lambda: ended.append(job.wait(timeout=60, poll=0.05)))
    restartable.stop()
    eventually(lambda: messages(caplog))
    restartable.start()
    restartable.client.job(job.id).cancel()
    waiting.join(timeout=30)
    assert [found.view.state.phase for found in ended] == ["cancelled"]
    began, over = messages(caplog)
    assert began.endswith(f"trying again for up to 120 s; {job.id} goes on")
    assert over.startswith("the platform answers again after ")


@pytest.mark.parametrize("tail", [None, 1])
def test_a_followed_log_goes_on_where_it_stopped(restartable: Restartable, tail: int | None):
    job = restartable.client.submit_job("tiny", "v1")
    log = restartable.runs / job.id / "logs" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_text(BEFORE)
    pieces: list[str] = []
    following = in_background(lambda: pieces.extend(job.follow_logs(tail)))
    eventually(lambda: pieces)
    restartable.stop()
    log.write_text(BEFORE + AFTER)
    restartable.start()
    eventually(lambda: "three" in "".join(pieces))
    restartable.client.job(job.id).cancel()
    following.join(timeout=30)
    assert "".join(pieces) == ("two\n" if tail else BEFORE) + AFTER


def test_giving_up_says_that_the_job_goes_on_and_shows_no_inner_errors(
    restartable: Restartable, monkeypatch: pytest.MonkeyPatch
):
    job = restartable.client.submit_job("tiny", "v1")
    monkeypatch.setattr(Job, "_watching", Patience(0.5, f"{job.id} goes on"))
    restartable.stop()
    with pytest.raises(ServiceUnavailableError, match=f"for 0.5 s; {job.id} goes on") as caught:
        job.wait()
    assert "httpx" not in "".join(traceback.format_exception(caught.value))
    restartable.start()


def test_a_log_that_was_never_answered_is_not_waited_for():
    down = pytest.raises(ServiceUnavailableError, match="does not answer")
    with PlatformClient("http://127.0.0.1:9", "token") as client, down:
        list(client.job("tiny-20260101-aaaaaa").follow_logs())
