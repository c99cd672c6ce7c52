"""Which folder of its team a new job goes into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
from ml_platform.repository.orders import Receipt, Submission

SHARDS = 8


class Team:
    """Its folders, each with more than the one before, and the time."""

    def __init__(self, name: str = "a") -> None:
        self.name = name
        self.now = 1000.0
        self.shards = SHARDS
        self.sizes = {f"{number:03d}": 100 * number for number in range(SHARDS)}
        self.bursts = Bursts(lambda: self.now)

    def submit(self, number: int) -> str:
        """The folder that a job is put into; it is there then."""
        found = self.bursts.shard(self.name, f"job-{number}", self.shards, lambda: self.sizes)
        self.sizes[found] = self.sizes.get(found, 0) + 1
        return found

    def own(self, number: int) -> str:
        return layout.shard(f"job-{number}", self.shards)


@pytest.fixture
def team() -> Team:
    return Team()


def test_jobs_one_by_one_go_where_their_hash_says(team: Team):
    for number in range(50):
        assert team.submit(number) == team.own(number)
        team.now += PAUSE_SECONDS * 1.01


def test_jobs_that_come_upon_another_go_into_the_smallest_folder(team: Team):
    found = []
    for number in range(MOST_JOBS + 1):
        found.append(team.submit(number))
        team.now += PAUSE_SECONDS * 0.99
    assert found == [team.own(0)] + ["000"] * MOST_JOBS


def test_a_burst_leaves_the_folders_as_even_as_it_can(team: Team):
    team.sizes = {}
    folders = Counter(team.submit(number) for number in range(1 + 3 * SHARDS * MOST_JOBS))
    assert len(folders) == SHARDS
    assert max(folders.values()) - min(folders.values()) <= 1


def test_of_folders_that_are_as_small_a_job_takes_its_own(team: Team):
    team.sizes = {}
    numbers = [number for number in range(50) if team.own(number) not in {"000", team.own(0)}]
    team.submit(0)
    assert team.submit(numbers[0]) == team.own(numbers[0])


def test_each_burst_begins_anew(team: Team):
    for number in range(4):
        team.submit(number)
    team.now += PAUSE_SECONDS * 1.01
    assert team.submit(4) == team.own(4)
    team.sizes["005"] = -1
    assert team.submit(5) == "005"


def test_a_folder_that_its_team_gave_up_gets_nothing(team: Team):
    team.sizes |= {"000": 7, "005": 0}
    assert [team.submit(number) for number in range(3)][1:] == ["005", "005"]
    team.shards = 2
    assert {team.submit(number) for number in range(3, 3 + MOST_JOBS)} == {"000"}


def test_the_jobs_of_another_team_are_no_burst():
    a, b = Team("a"), Team("b")
    b.bursts = a.bursts
    a.submit(0)
    number = next(number for number in range(50) if b.own(number) != "000")
    assert b.submit(number) == b.own(number)


def test_what_came_to_nothing_leaves_no_trace(team: Team):
    kept = team.bursts.copy()
    for number in range(3):
        team.submit(number)
    team.bursts = kept
    assert team.submit(3) == team.own(3)


@contextmanager
def committing(repository: GitopsRepository, journal: Path) -> Iterator[Committer]:
    """A committer that has not begun, so that what it gets is a burst on the slowest machine too."""
    book = SqliteJournal(journal)
    committer = Committer(repository, book)
    try:
        yield committer
    finally:
        committer.stop()
        book.close()


def all_of(committer: Committer, orders: list[Submission]) -> list[Receipt]:
    futures = [committer.submit(order) for order in orders]
    committer.start()
    return [future.result(60) for future in futures]


def orders_of(count: int) -> list[Submission]:
    return [replace(submission(f"job-{number}"), shards=SHARDS) for number in range(count)]


def with_anchors(folder: Path) -> Path:
    """A repository with a team's folders, and one more of its own that is the smallest."""
    repository = new_repository(folder)
    names = [f"{number:03d}/{file}" for number in range(SHARDS) for file in ("_anchor", "_more")]
    files = {f"jobs/{TEAM}/{name}.yaml": b"{}\n" for name in names}
    push(repository, {**files, f"jobs/{TEAM}/notes/README.md": b"ours\n"})
    return repository


def test_a_burst_lies_in_few_folders_and_a_retry_where_its_job_is(tmp_path: Path):
    repository = with_anchors(tmp_path)
    orders = orders_of(1 + 2 * MOST_JOBS)
    with committing(GitopsRepository(repository), tmp_path / "one.db") as committer:
        once = all_of(committer, orders)
    jobs = sorted(path for path in files_of(repository) if layout.place(path))
    assert jobs == sorted(one.path for one in once)
    assert len({path.split("/")[2] for path in jobs}) == 3
    with committing(GitopsRepository(repository), tmp_path / "another.db") as committer:
        again = all_of(committer, orders)
    assert all(one.existed for one in again)
    assert [one.path for one in again] == [one.path for one in once]


def test_a_push_that_was_lost_makes_no_burst_of_a_single_job(tmp_path: Path):
    repository = with_anchors(tmp_path)
    order = next(one for one in orders_of(50) if layout.shard(one.job_id, SHARDS) == "005")

    class Contended(GitopsRepository):
        lost = 0

        def swap(self, expected: str, new: str) -> bool:
            if self.lost < 3:
                self.lost += 1
                push(repository, {f"docs/{self.lost}.md": b"x"})
            return super().swap(expected, new)

    contended = Contended(repository)
    with committing(contended, tmp_path / "journal.db") as committer:
        (receipt,) = all_of(committer, [order])
    assert contended.lost == 3
    assert receipt.path == f"jobs/{TEAM}/005/{order.job_id}.yaml"
