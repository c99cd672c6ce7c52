"""A watch misses nothing, whatever happens to its connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from api_server import RAY, ApiServer
from ray_fixture import eventually

from ml_platform.cluster.api import KubernetesApi
from ml_platform.cluster.watch import PAGE, Resource, Watch

JOBS = f"{RAY}/rayjobs"
Change = tuple[str, Any, Any]


class Watched:
    """A watch with everything that it told."""

    def __init__(self, api: KubernetesApi) -> None:
        self.told: list[Change] = []
        self.watch = Watch(api, Resource("rayjobs", JOBS, _value), self._changed)

    def _changed(self, key: str, before: Any, now: Any) -> None:
        self.told.append((key, before and before["value"], now and now["value"]))

    def values(self) -> dict[str, int]:
        return {key: item["value"] for key, item in self.watch.items().items()}


def _value(item: dict[str, Any]) -> dict[str, Any] | None:
    return None if item["value"] < 0 else {"value": item["value"]}


def _item(name: str, value: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "a", "name": name}, "value": value}


@pytest.fixture
def watched(api: KubernetesApi) -> Iterator[Watched]:
    watched = Watched(api)
    yield watched
    watched.watch.stop()


def _open(watched: Watched) -> None:
    watched.watch.start()
    eventually(lambda: watched.watch.down_seconds() == 0)


def test_what_is_there_is_listed_in_pages_and_what_comes_is_heard_of(
    server: ApiServer, watched: Watched
):
    for number in range(PAGE + 5):
        server.put(JOBS, _item(f"n{number:04d}", number))
    _open(watched)
    assert len(watched.values()) == PAGE + 5
    server.put(JOBS, _item("late", 7))
    server.put(JOBS, _item("late", 8))
    server.delete(JOBS, "a", "late")
    eventually(lambda: ("a/late", 8, None) in watched.told)
    assert watched.told[-3:] == [("a/late", None, 7), ("a/late", 7, 8), ("a/late", 8, None)]


def test_an_object_that_is_of_no_interest_any_more_is_gone(server: ApiServer, watched: Watched):
    _open(watched)
    server.put(JOBS, _item("x", 1))
    server.put(JOBS, _item("x", -1))
    eventually(lambda: watched.told[-1:] == [("a/x", 1, None)])


def test_a_broken_stream_goes_on_where_it_was_without_a_new_list(
    server: ApiServer, watched: Watched
):
    _open(watched)
    server.put(JOBS, _item("x", 1))
    eventually(lambda: watched.values() == {"a/x": 1})
    lists = server.count("limit=")
    server.break_streams()
    server.put(JOBS, _item("x", 2))
    eventually(lambda: watched.values() == {"a/x": 2})
    assert server.count("limit=") == lists
    assert watched.told == [("a/x", None, 1), ("a/x", 1, 2)]


def test_a_bookmark_moves_the_place_from_which_the_watch_goes_on(
    server: ApiServer, watched: Watched
):
    _open(watched)
    server.bookmark(JOBS)
    server.compact()
    eventually(lambda: server.version > 1)
    before = server.count("limit=")
    server.put(JOBS, _item("x", 1))
    eventually(lambda: watched.values() == {"a/x": 1})
    server.break_streams()
    server.put(JOBS, _item("x", 2))
    eventually(lambda: watched.values() == {"a/x": 2})
    assert server.count("limit=") == before


def test_who_is_too_far_behind_lists_anew_and_notices_what_has_gone(
    server: ApiServer, watched: Watched
):
    server.put(JOBS, _item("stays", 1))
    server.put(JOBS, _item("goes", 1))
    _open(watched)
    server.refused_paths[JOBS] = 503
    server.break_streams()
    eventually(lambda: watched.watch.down_seconds() > 0)
    server.delete(JOBS, "a", "goes")
    server.put(JOBS, _item("new", 1))
    server.compact()
    del server.refused_paths[JOBS]
    eventually(lambda: watched.values() == {"a/stays": 1, "a/new": 1})
    assert ("a/goes", 1, None) in watched.told
    assert watched.told.count(("a/stays", None, 1)) == 1


def test_a_refusal_of_some_seconds_after_a_restart_is_got_over(
    server: ApiServer, watched: Watched, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    server.put(JOBS, _item("x", 1))
    server.refusals = [(403, "rayjobs is forbidden: RBAC is not loaded yet")] * 3
    _open(watched)
    assert watched.values() == {"a/x": 1}
    assert caplog.text == ""


def test_a_watch_that_stays_down_says_why_and_since_when(server: ApiServer, watched: Watched):
    server.refused_paths[JOBS] = 403
    watched.watch.start()
    eventually(lambda: "forbidden" in watched.watch.error)
    assert watched.watch.down_seconds() > 0
    del server.refused_paths[JOBS]
    eventually(lambda: watched.watch.down_seconds() == 0)
    assert watched.watch.error == ""


def test_a_watch_stops_at_once_although_nothing_comes(server: ApiServer, watched: Watched):
    _open(watched)
    began = time.monotonic()
    watched.watch.stop()
    assert time.monotonic() - began < 2
