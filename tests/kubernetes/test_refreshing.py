"""Argo CD is asked until it has taken a commit over, however many requests get lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from api_server import ARGOCD, ApiServer
from commit_world import new_repository
from foreign_writer import push
from ray_fixture import eventually

from ml_platform.cluster import refreshing
from ml_platform.cluster.api import KubernetesApi
from ml_platform.cluster.application import REFRESH
from ml_platform.cluster.applications import Applications
from ml_platform.cluster.refreshing import Refresher
from ml_platform.repository.git import GitopsRepository

APPLICATIONS = f"{ARGOCD}/applications"
FOLDER = "jobs/edge-plasma/000"
OLD = "1" * 40


@dataclass
class ArgoCd:
    """Answers each refresh as the next of `answers` says; the last one holds for all later."""

    server: ApiServer
    answers: list[Callable[[ArgoCd], dict[str, Any]]]
    repository: GitopsRepository
    asked: int = 0
    sets_asked: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    taken_back: int = 0

    def __post_init__(self) -> None:
        self.server.on_patch = self._patched

    def make(self, status: dict[str, Any], **annotations: str) -> None:
        self.status = status
        application = {
            "metadata": {
                "namespace": "argocd",
                "name": "jobs-edge-plasma-000",
                "annotations": annotations,
            },
            "spec": {"source": {"path": FOLDER}},
            "status": status,
        }
        self.server.put(APPLICATIONS, application)

    def _patched(self, path: str, body: dict[str, Any]) -> None:
        if "applicationsets" in path:
            self.sets_asked += 1
            self.make(synced(OLD))
            return
        if body["metadata"]["annotations"] == {REFRESH: None}:
            self.taken_back += 1
            self.make(self.status)
            return
        assert body["metadata"]["annotations"] == {REFRESH: "normal"}
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        self.make(answer(self), **({REFRESH: "normal"} if answer is stands else {}))

    def head(self) -> str:
        return self.repository.head()


def synced(revision: str) -> dict[str, Any]:
    return {
        "sync": {"status": "Synced", "revision": revision},
        "operationState": {"phase": "Succeeded", "syncResult": {"revision": revision}},
    }


def done(argo: ArgoCd) -> dict[str, Any]:
    return synced(argo.head())


def swallowed(argo: ArgoCd) -> dict[str, Any]:
    return argo.status


def stands(argo: ArgoCd) -> dict[str, Any]:
    """The request stays on the Application, and nobody is at it."""
    return argo.status


def cannot_read(argo: ArgoCd) -> dict[str, Any]:
    """A file that cannot be parsed: the revision is a branch's name, all else is of yesterday."""
    return {
        **synced(OLD),
        "sync": {"status": "Unknown", "revision": "refs/heads/main"},
        "conditions": [{"type": "ComparisonError", "message": 'Failed to unmarshal "x.yaml": no'}],
    }


def compared_only(argo: ArgoCd) -> dict[str, Any]:
    """The mending commit: compared, and not synced ("most recent sync already to …")."""
    return {**synced(OLD), "sync": {"status": "OutOfSync", "revision": argo.head()}}


def one_refused(argo: ArgoCd) -> dict[str, Any]:
    return {
        "sync": {"status": "OutOfSync", "revision": argo.head()},
        "operationState": {"phase": "Running", "operation": {"sync": {"revision": argo.head()}}},
    }


def applies_another(argo: ArgoCd) -> dict[str, Any]:
    """It has compared the newest commit while it still applies the one before."""
    return {
        "sync": {"status": "OutOfSync", "revision": argo.head()},
        "operationState": {"phase": "Running", "operation": {"sync": {"revision": OLD}}},
    }


@pytest.fixture
def repository(tmp_path: Path) -> GitopsRepository:
    return GitopsRepository(new_repository(tmp_path / "git"))


@pytest.fixture
def news() -> list[str]:
    return []


@pytest.fixture
def leads() -> list[bool]:
    return [True]


@pytest.fixture
def refresher(
    api: KubernetesApi,
    server: ApiServer,
    repository: GitopsRepository,
    news: list[str],
    leads: list[bool],
) -> Iterator[Refresher]:
    wake: list[Refresher] = []
    applications = Applications(api, "argocd", lambda folder: wake[0].wake() if wake else None)
    server.put(f"{ARGOCD}/applicationsets", {"metadata": {"namespace": "argocd", "name": "jobs"}})
    applications.start()
    refresher = Refresher(repository, applications, news.append, lambda: leads[0])
    wake.append(refresher)
    refresher.start()
    yield refresher
    refresher.stop()
    applications.stop()


def _commit(repository: GitopsRepository, name: str = "a", folder: str = FOLDER) -> str:
    push(repository.path, {f"{folder}/{name}-20260101-aaaaaa.yaml": b"a: 1\n"})
    return repository.head()


def _waits_for_nothing(refresher: Refresher) -> bool:
    return not refresher._waiting


@pytest.mark.parametrize(
    "lost", [[], [swallowed], [swallowed, swallowed], [cannot_read], [compared_only]]
)
def test_a_commit_is_asked_for_until_it_is_reported(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher, lost: list[Any]
):
    argo = ArgoCd(server, [*lost, done], repository)
    argo.make(synced(OLD))
    _commit(repository)
    refresher.wake()
    eventually(lambda: argo.status == synced(repository.head()))
    eventually(lambda: _waits_for_nothing(refresher))
    assert argo.asked == len(lost) + 1


def test_a_commit_of_somebody_else_is_noticed_without_being_told(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher, news: list[str]
):
    argo = ArgoCd(server, [done], repository)
    argo.make(synced(OLD))
    _commit(repository)
    eventually(lambda: argo.asked)
    assert news == [FOLDER]


def test_a_commit_that_touches_no_jobs_asks_for_nothing(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher
):
    argo = ArgoCd(server, [done], repository)
    argo.make(synced(OLD))
    push(repository.path, {"pools.yaml": b"x: 1\n"})
    _commit(repository, folder="jobs/edge-plasma/001")
    refresher.wake()
    eventually(lambda: argo.sets_asked)
    assert argo.asked == 0


def test_a_folder_that_was_taken_away_is_not_waited_for(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher, news: list[str]
):
    ArgoCd(server, [done], repository)
    _commit(repository, folder="jobs/gone/000")
    eventually(lambda: "jobs/gone/000" in news)
    path = "jobs/gone/000/a-20260101-aaaaaa.yaml"
    push(repository.path, {path: None, f"{FOLDER}/b-20260101-aaaaaa.yaml": b"a: 1\n"})
    eventually(lambda: FOLDER in news)
    eventually(lambda: _waits_for_nothing(refresher))


def test_an_object_that_the_cluster_refuses_is_left_to_argo_cds_own_retries(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher
):
    argo = ArgoCd(server, [one_refused], repository)
    argo.make(synced(OLD))
    _commit(repository)
    refresher.wake()
    eventually(lambda: argo.asked == 1 and _waits_for_nothing(refresher))


def test_where_there_is_no_application_yet_its_maker_is_asked(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher
):
    argo = ArgoCd(server, [done], repository)
    _commit(repository)
    refresher.wake()
    eventually(lambda: argo.sets_asked >= 1 and argo.status == synced(repository.head()))


def test_a_report_of_a_later_commit_is_one_of_the_earlier_too(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher
):
    argo = ArgoCd(server, [swallowed, done], repository)
    argo.make(synced(OLD))
    for name in "abc":
        _commit(repository, name)
        refresher.wake()
    eventually(lambda: argo.status == synced(repository.head()))
    eventually(lambda: _waits_for_nothing(refresher))


def test_a_long_wait_is_told_once_and_pauses_grow(
    server: ApiServer,
    repository: GitopsRepository,
    refresher: Refresher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(refreshing, "LONG_SECONDS", 0.5)
    caplog.set_level(logging.WARNING)
    argo = ArgoCd(server, [swallowed] * 6 + [done], repository)
    argo.make(synced(OLD))
    commit = _commit(repository)
    refresher.wake()
    eventually(lambda: argo.status == synced(commit))
    told = [record for record in caplog.records if commit[:10] in record.getMessage()]
    assert len(told) == 1


def test_an_argo_cd_that_does_not_answer_is_asked_again(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher
):
    argo = ArgoCd(server, [done], repository)
    argo.make(synced(OLD))
    eventually(lambda: refresher._applications.of(FOLDER))
    server.refusals = [(503, "is restarting")] * 3
    _commit(repository)
    refresher.wake()
    eventually(lambda: argo.status == synced(repository.head()))


def test_a_replica_that_does_not_commit_asks_only_once_it_does(
    server: ApiServer,
    repository: GitopsRepository,
    refresher: Refresher,
    news: list[str],
    leads: list[bool],
):
    leads[0] = False
    argo = ArgoCd(server, [done], repository)
    argo.make(synced(OLD))
    _commit(repository)
    eventually(lambda: news == [FOLDER])
    eventually(lambda: refresher._waiting[FOLDER].pause > refreshing.FIRST_PAUSE_SECONDS)
    assert argo.asked == 0
    leads[0] = True
    eventually(lambda: argo.status == synced(repository.head()))


def test_a_request_that_nobody_is_at_is_made_anew(
    server: ApiServer,
    repository: GitopsRepository,
    refresher: Refresher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refreshing, "STUCK_SECONDS", 0.3)
    argo = ArgoCd(server, [stands, stands, done], repository)
    argo.make(synced(OLD))
    _commit(repository)
    refresher.wake()
    eventually(lambda: argo.asked == 3 and _waits_for_nothing(refresher))
    assert argo.taken_back == 2


def test_what_argo_cd_will_apply_by_itself_is_not_asked_for_again(
    server: ApiServer, repository: GitopsRepository, refresher: Refresher
) -> None:
    argo = ArgoCd(server, [applies_another], repository)
    argo.make(synced(OLD))
    _commit(repository)
    refresher.wake()
    eventually(lambda: argo.asked == 1)
    eventually(lambda: refresher._waiting[FOLDER].pause > 2 * refreshing.FIRST_PAUSE_SECONDS)
    assert argo.asked == 1
    argo.make(synced(repository.head()))
    eventually(lambda: _waits_for_nothing(refresher))
