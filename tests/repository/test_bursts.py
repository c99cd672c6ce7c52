"""Which folder of its team a new job goes into."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from commit_world import TEAM, new_repository, submission
from foreign_writer import push
from service_world import files_of

from ml_platform.journal import SqliteJournal
from ml_platform.repository import layout
from ml_platform.repository.bursts import MOST_JOBS, PAUSE_SECONDS, Bursts
from ml_platform.repository.committer import Committer
from ml_platform.repository.git import GitopsRepository

SHARDS = 8


class Team:
    """Its folders, each with so many jobs more than its number, and the time."""

    def __init__(self, name: str = "a") -> None:
        self.name = name
        self.now = 1000.0
        self.sizes = {f"jobs/{name}/{number:03d}": 100 + number for number in range(SHARDS)}
        self.bursts = Bursts(lambda: self.now)

    def own(self, number: int) -> str:
        return layout.job_path(self.name, f"job-{number}", SHARDS)

    def submit(self, number: int) -> str:
        """The folder that a job is put into; it is there then."""
        path = self.bursts.path(self.name, self.own(number), lambda: self.sizes)
        folder = layout.parent(path)
        assert path == f"{folder}/job-{number}.yaml"
        self.sizes[folder] += 1
        return folder


@pytest.fixture
def team() -> Team:
    return Team()


def test_jobs_one_by_one_go_where_their_hash_says(team: Team):
    for number in range(50):
        assert team.submit(number) == layout.parent(team.own(number))
        team.now += PAUSE_SECONDS * 1.01


def test_jobs_that_come_upon_another_go_into_the_smallest_folder(team: Team):
    found = []
    for number in range(MOST_JOBS + 1):
        found.append(team.submit(number))
        team.now += PAUSE_SECONDS * 0.99
    assert found[0] == layout.parent(team.own(0))
    assert set(found[1:]) == {"jobs/a/000"}


def test_a_burst_leaves_the_folders_as_even_as_it_can(team: Team):
    team.sizes = dict.fromkeys(team.sizes, 0)
    folders = Counter(team.submit(number) for number in range(1 + 3 * SHARDS * MOST_JOBS))
    assert len(folders) == SHARDS
    assert max(folders.values()) - min(folders.values()) <= 1


def test_each_burst_begins_anew(team: Team):
    for number in range(4):
        team.submit(number)
    team.now += PAUSE_SECONDS * 1.01
    assert team.submit(4) == layout.parent(team.own(4))
    team.sizes = {folder: -size for folder, size in team.sizes.items()}
    assert team.submit(5) == f"jobs/a/{SHARDS - 1:03d}"


def test_a_teams_jobs_stay_in_its_own_folders():
    a, b = Team("a"), Team("b")
    b.bursts = a.bursts
    for number in range(100):
        assert a.submit(number).startswith("jobs/a/")
        assert b.submit(number).startswith("jobs/b/")


def test_a_team_without_folders_gets_its_own_path():
    bursts = Bursts()
    for number in range(3):
        own = f"jobs/a/000/job-{number}.yaml"
        assert bursts.path("a", own, dict) == own


def test_a_burst_lies_in_few_folders_and_a_retry_where_its_job_is(tmp_path: Path):
    repository = new_repository(tmp_path)
    anchors = {f"jobs/{TEAM}/{number:03d}/_anchor.yaml": b"{}\n" for number in range(SHARDS)}
    # Not a shard, and the smallest of all.
    push(repository, {**anchors, f"jobs/{TEAM}/notes/README.md": b"ours\n"})
    orders = [
        replace(order, path=layout.job_path(TEAM, order.job_id, SHARDS))
        for order in (submission(f"job-{number}") for number in range(2 * MOST_JOBS + 1))
    ]
    journal = SqliteJournal(tmp_path / "journal.db")
    committer = Committer(GitopsRepository(repository), journal)
    futures = [committer.submit(order) for order in (*orders, *orders)]
    committer.start()
    receipts = [future.result(60) for future in futures]
    committer.stop()
    journal.close()
    once, again = receipts[: len(orders)], receipts[len(orders) :]
    assert [one.path for one in again] == [one.path for one in once]
    assert all(one.existed for one in again)
    jobs = [path for path in files_of(repository) if layout.place(path)]
    assert sorted(jobs) == sorted(one.path for one in once)
    # The first job's and four more, where their hashes alone would use all.
    assert len({layout.parent(path) for path in jobs}) <= 5
