"""Logs: the tail is exact, following ends with the job."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service_world import Service

from ml_platform.service.log_tail import tail_of


@pytest.fixture
def job(shared_service: Service, request: pytest.FixtureRequest) -> str:
    job = str(shared_service.submitted(request.node.name)["job_id"])
    (shared_service.settings.runs_dir / job / "logs").mkdir(parents=True)
    return job


def _logs(service: Service, job: str) -> Path:
    return service.settings.runs_dir / job / "logs"


TEXTS = st.lists(st.lists(st.sampled_from([b"", b"a", b"bb \xff"])).map(b"\n".join), max_size=4)


@given(texts=TEXTS, ended=st.booleans(), lines=st.integers(1, 12))
def test_the_tail_is_the_last_lines_of_all_files(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], ended: bool, lines: int
):
    folder = tmp_path_factory.mktemp("logs")
    files = []
    for number, text in enumerate(texts):
        # A file of an ended attempt ends with a line; only the newest may be in the middle of one.
        whole = text + b"\n" if text and (ended or number < len(texts) - 1) else text
        files.append(folder / f"{number}.log")
        files[-1].write_bytes(whole)
    every = b"".join(file.read_bytes() for file in files).splitlines(keepends=True)
    every = b"".join(file.read_bytes() for file in files).split(b"\n")
    every = [line + b"\n" for line in every[:-1]] + ([every[-1]] if every[-1] else [])
    shown = b"".join(file.read_bytes()[start:] for file, start in reversed(tail_of(files, lines)))
    assert shown == b"".join(every[-lines:])


def test_a_log_is_what_all_attempts_wrote_in_order(shared_service: Service, job: str):
    for name, text in (("10.log", "c\n"), ("2.log", "b\n"), ("0.log", "a\n"), ("x.log", "?")):
        (_logs(shared_service, job) / name).write_text(text)
    client = shared_service.client()
    assert client.get(f"/v1/jobs/{job}/logs").text == "a\nb\nc\n"
    assert client.get(f"/v1/jobs/{job}/logs?attempt=2").text == "b\n"
    assert client.get(f"/v1/jobs/{job}/logs?tail=2").text == "b\nc\n"
    error = client.get(f"/v1/jobs/{job}/logs?attempt=4").json()["error"]
    assert error["message"] == f"there is no attempt 5 of {job}; 1 is the newest"


def test_a_followed_log_ends_when_the_job_does(shared_service: Service, job: str):
    log = _logs(shared_service, job) / "0.log"
    log.write_text("first\n")
    url = f"/v1/jobs/{job}/logs?follow=true"
    with shared_service.client().stream("GET", url) as response:
        lines = response.iter_lines()
        assert next(lines) == "first"
        with log.open("a") as file:
            file.write("second\n")
        assert next(lines) == "second"
        with log.open("a") as file:
            file.write("last\n")
        cancel = threading.Thread(target=shared_service.cancel, args=(job,))
        cancel.start()
        assert list(lines) == ["last"]
        cancel.join()


def test_the_last_words_of_a_cancelled_job_are_followed(shared_service: Service, job: str):
    attempt = shared_service.settings.runs_dir / job / "attempts" / "0"
    attempt.mkdir(parents=True)
    (attempt / "claim.json").write_text("{}")
    log = _logs(shared_service, job) / "0.log"
    log.write_text("first\n")
    url = f"/v1/jobs/{job}/logs?follow=true"
    with shared_service.client().stream("GET", url) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"
        shared_service.cancel(job)
        log.write_text("first\ncheckpoint saved\n")
        (attempt / "exit.json").write_text("{}")
        assert list(lines) == ["checkpoint saved"]


def test_a_large_log_comes_whole(shared_service: Service, job: str):
    text = "".join(f"line {number}\n" for number in range(40_000))
    (_logs(shared_service, job) / "0.log").write_text(text)
    assert shared_service.client().get(f"/v1/jobs/{job}/logs").text == text
    tail = shared_service.client().get(f"/v1/jobs/{job}/logs?tail=20000").text
    assert tail == text[text.index("line 20000\n") :]
