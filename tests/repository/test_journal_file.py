"""The journal's file: what another version left is thrown away and made again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commit_world import committing, new_repository, submission
from foreign_writer import push

from ml_platform.cluster.interface import Observed
from ml_platform.job import Phase
from ml_platform.journal import SqliteJournal
from ml_platform.repository.git import PLATFORM, GitopsRepository
from ml_platform.state import Outcome

_FIELDS = {"running": "started"}
OLD = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE jobs (job_id TEXT PRIMARY KEY, position INTEGER NOT NULL, rayjob TEXT);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, team TEXT NOT NULL
);
INSERT INTO meta VALUES ('head', 'x');
INSERT INTO jobs VALUES ('old', 1, NULL);
INSERT INTO events VALUES (41, 'old', 'team');
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "git")


def test_a_file_of_another_version_is_filled_anew_and_its_numbers_go_on(
    repository: Path, tmp_path: Path
):
    order = submission("a")
    with committing(repository, tmp_path / "first.db") as committer:
        committer.submit(order).result(60)
    file = tmp_path / "journal.db"
    with sqlite3.connect(file) as old:
        old.executescript(OLD)
    old.close()
    journal = SqliteJournal(file)
    git = GitopsRepository(repository)
    journal.sync(git, git.head())
    assert [row.job_id for row in journal.active()] == [order.job_id]
    assert journal.last_event() > 41
    journal.close()


def test_a_journal_that_was_made_anew_knows_when_a_job_ran_and_when_it_ended(
    repository: Path, tmp_path: Path
):
    order = submission("a")
    times = {
        "applied": datetime(2026, 11, 26, 10, 0, tzinfo=UTC),
        "admitted": datetime(2026, 11, 26, 10, 1, tzinfo=UTC),
        "running": datetime(2026, 11, 26, 10, 2, tzinfo=UTC),
        "ended": datetime(2026, 11, 26, 10, 5, tzinfo=UTC),
    }
    outcome = Outcome(
        phase=Phase.SUCCEEDED, **{f"{_FIELDS.get(hop, hop)}_at": at for hop, at in times.items()}
    )
    with committing(repository, tmp_path / "first.db") as committer:
        committer.submit(order).result(60)
        committer.archive(order.job_id, outcome, PLATFORM).result(60)
    journal = SqliteJournal(tmp_path / "anew.db")
    git = GitopsRepository(repository)
    journal.sync(git, git.head())
    row = journal.get(order.job_id)
    assert {hop: row.moment(hop) for hop in times} == times
    assert row.since == times["ended"]
    journal.close()


@pytest.fixture
def journal(repository: Path, tmp_path: Path) -> Iterator[SqliteJournal]:
    with committing(repository, tmp_path / "journal.db") as committer:
        committer.submit(submission("a")).result(60)
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_the_last_look_at_a_job_survives_what_goes_away_around_it(journal: SqliteJournal):
    (row,) = journal.active()
    workload = {
        "status": {
            "conditions": [
                {"type": "Admitted", "status": "True", "lastTransitionTime": "2026-11-26T10:01:00Z"}
            ],
            "schedulingStats": {"evictions": [{"reason": "Preempted", "count": 1}]},
        }
    }
    status = {
        "startTime": "2026-11-26T10:00:00Z",
        "rayClusterStatus": {"stateTransitionTimes": {"ready": "2026-11-26T10:02:00Z"}},
        "jobDeploymentStatus": "Running",
        "jobStatus": "RUNNING",
    }
    rayjob = {"metadata": {"uid": "1", "namespace": row.team}, "status": status}
    journal.observe(row.job_id, Observed(rayjob, workload=workload, cluster="one"))
    journal.observe(row.job_id, Observed(rayjob, cluster="one"))
    seen = journal.get(row.job_id)
    assert (seen.phase, seen.attempt) == (Phase.RUNNING, 1)
    assert seen.hops["admitted"] == "2026-11-26T10:01:00Z"
    assert seen.hops["cluster-ready"] == "2026-11-26T10:02:00Z"
    again = {"metadata": {"uid": "2", "namespace": row.team}, "status": {}}
    journal.observe(row.job_id, Observed(again, cluster="one"))
    assert journal.get(row.job_id).attempt == 0


def test_a_job_that_a_rebuilt_cluster_has_once_more_begins_its_road_again(journal: SqliteJournal):
    (row,) = journal.active()

    def look(created: str, **status: object) -> dict[str, str]:
        metadata = {"uid": created, "namespace": row.team, "creationTimestamp": created}
        rayjob = {"metadata": metadata, "status": status}
        journal.observe(row.job_id, Observed(rayjob, cluster=None))
        return dict(journal.get(row.job_id).hops)

    ended = {"startTime": "2026-11-26T10:01:00Z", "endTime": "2026-11-26T10:09:00Z"}
    first = look("2026-11-26T10:00:00Z", **ended)
    assert first["ended"] == "2026-11-26T10:09:00Z"
    assert look("2026-11-26T10:00:00+00:00") == first
    anew = look("2026-11-29T08:00:00Z", startTime="2026-11-29T08:00:30Z")
    assert anew == {
        "submitted": first["submitted"],
        "applied": "2026-11-29T08:00:00Z",
        "admitted": "2026-11-29T08:00:30Z",
    }


def test_a_copy_of_a_job_s_file_in_a_second_folder_changes_nothing_and_a_move_is_followed(
    journal: SqliteJournal, repository: Path
):
    git = GitopsRepository(repository)
    (row,) = journal.active()
    folder, _, name = row.path.rpartition("/")
    manifest = git.read_path(git.head(), row.path)
    second = f"{folder.rpartition('/')[0]}/999/{name}"
    for files in ({second: manifest}, {second: None}):
        journal.sync(git, push(repository, files))
        assert journal.get(row.job_id) == row
    journal.sync(git, push(repository, {row.path: None, second: manifest}))
    moved = journal.get(row.job_id)
    assert (moved.path, moved.phase) == (second, Phase.SUBMITTED)
    # The same in two steps, as careful people do it.
    for files in ({row.path: manifest}, {second: None}):
        journal.sync(git, push(repository, files))
    back = journal.get(row.job_id)
    assert (back.path, back.phase, back.active) == (row.path, Phase.SUBMITTED, True)
    assert back.commits[-1]["sha"] == git.head()
    assert git.read_path(back.manifest_commit, back.path) == manifest


@pytest.mark.parametrize(
    ("folder", "content"), [("999", None), ("backup", ...), ("999", b"kind: RayJob\n")]
)
def test_a_job_is_cancelled_with_its_file_where_no_copy_of_it_stays(
    journal: SqliteJournal, repository: Path, folder: str, content: bytes | None
):
    """`content` of the copy once the file is gone: None for none, ... for that of the file."""
    git = GitopsRepository(repository)
    (row,) = journal.active()
    team, _, name = row.path.rsplit("/", 2)
    manifest = git.read_path(git.head(), row.path)
    second = f"{team}/{folder}/{name}"
    journal.sync(git, push(repository, {second: manifest}))
    left = manifest if content is ... else content
    journal.sync(git, push(repository, {row.path: None, second: left}))
    assert journal.get(row.job_id).phase is Phase.CANCELLED


def test_an_object_of_another_team_with_the_same_name_says_nothing(journal: SqliteJournal):
    (row,) = journal.active()
    foreign = {"metadata": {"namespace": "others"}, "status": {"jobDeploymentStatus": "Failed"}}
    journal.observe(row.job_id, Observed(foreign))
    assert journal.get(row.job_id).phase is Phase.SUBMITTED


def test_an_object_that_was_deleted_by_hand_is_not_applied_any_more(journal: SqliteJournal):
    (row,) = journal.active()
    running = {"status": {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}}
    journal.observe(row.job_id, Observed(running))
    assert journal.not_applied(row.path.rpartition("/")[0]) == []
    journal.observe(row.job_id, Observed())
    assert journal.get(row.job_id).phase is Phase.SUBMITTED
    assert [other.job_id for other in journal.not_applied(row.path.rpartition("/")[0])] == [
        row.job_id
    ]
