"""The committer: one commit per job, none lost, none doubled, whoever else writes."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pygit2
import pytest
from commit_world import ADA, committing, new_repository, path_of, submission
from foreign_writer import git, push
from service_world import content_of, files_of

from ml_platform.errors import ConflictError, InputError, NotFoundError, ServiceUnavailableError
from ml_platform.job import Phase
from ml_platform.journal import SqliteJournal
from ml_platform.repository.author import author_of
from ml_platform.repository.committer import Committer
from ml_platform.repository.git import Author, Edit, GitopsRepository, seed
from ml_platform.repository.orders import Receipt
from ml_platform.state import Outcome
from ml_platform.yaml_document import from_yaml

CANCELLED = Outcome(phase=Phase.CANCELLED, cause="Enough.")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path)


def _commits(repository: Path) -> list[pygit2.Commit]:
    """First parents of `main`, the newest first."""
    repo = pygit2.Repository(str(repository))
    walker = repo.walk(repo.references["refs/heads/main"].target)
    walker.simplify_first_parent()
    return list(walker)


def _added(commit: pygit2.Commit) -> list[str]:
    diff = commit.parents[0].tree.diff_to_tree(commit.tree)
    return [delta.new_file.path for delta in diff.deltas]


def test_64_submitters_two_services_and_a_stranger_lose_and_double_nothing(
    repository: Path, tmp_path: Path
):
    names = [f"job-{number:03d}" for number in range(300)]
    authors = {
        name: Author(f"user{n % 7}", f"user{n % 7}@x.invalid") for n, name in enumerate(names)
    }
    with (
        committing(repository, tmp_path / "one.db") as one,
        committing(repository, tmp_path / "two.db") as two,
        ThreadPoolExecutor(64) as threads,
    ):

        def submit(number: int) -> Receipt:
            name = names[number]
            order = submission(name, author=authors[name])
            return (one, two)[number % 2].submit(order).result(timeout=60)

        stranger = threads.submit(
            lambda: [push(repository, {f"docs/{n}.md": b"x"}) for n in range(3)]
        )
        receipts = dict(zip(names, threads.map(submit, range(300)), strict=True))
        foreign = stranger.result(timeout=60)
    commits = {str(commit.id): commit for commit in _commits(repository)}
    assert len(commits) == 1 + 300 + 3
    assert set(foreign) <= set(commits)
    assert len({receipt.commit for receipt in receipts.values()}) == 300
    for name, receipt in receipts.items():
        commit = commits[receipt.commit]
        assert not receipt.existed
        assert _added(commit) == [receipt.path]
        assert commit.author.name == authors[name].name
        assert commit.committer.name == "ML Platform"
        assert bytes(commit.tree[receipt.path].data) == submission(name).content
    jobs = [path for path in files_of(repository) if path.startswith("jobs/")]
    assert sorted(jobs) == sorted(receipt.path for receipt in receipts.values())
    assert git(repository, "fsck", "--strict").returncode == 0


def test_many_orders_of_one_key_at_two_services_make_one_job(repository: Path, tmp_path: Path):
    with (
        committing(repository, tmp_path / "one.db") as one,
        committing(repository, tmp_path / "two.db") as two,
    ):
        futures = [(one, two)[n % 2].submit(submission("same")) for n in range(40)]
        receipts = [future.result(timeout=60) for future in futures]
    assert len({receipt.commit for receipt in receipts}) == 1
    assert Counter(receipt.existed for receipt in receipts) == {True: 39, False: 1}


def test_orders_that_wait_are_taken_together_in_one_move_of_main(repository: Path, tmp_path: Path):
    moves = []

    class Counting(GitopsRepository):
        def swap(self, expected: str, new: str) -> bool:
            moves.append(new)
            return super().swap(expected, new)

    journal = SqliteJournal(tmp_path / "journal.db")
    committer = Committer(Counting(repository), journal)
    futures = [committer.submit(submission(f"job-{n}")) for n in range(100)]
    committer.start()
    assert len({future.result(timeout=60).commit for future in futures}) == 100
    committer.stop()
    journal.close()
    assert len(moves) == 1


def test_a_key_with_another_request_is_a_conflict_and_the_others_go_on(
    repository: Path, tmp_path: Path
):
    with committing(repository, tmp_path / "journal.db") as committer:
        first, other, good = (
            committer.submit(submission("a")),
            committer.submit(submission("a", body="other")),
            committer.submit(submission("b")),
        )
        assert not first.result(60).existed
        with pytest.raises(ConflictError):
            other.result(60)
        assert not good.result(60).existed


def test_a_job_that_was_cancelled_before_it_was_applied_ends_in_the_archive(
    repository: Path, tmp_path: Path
):
    order = submission("a")
    with committing(repository, tmp_path / "journal.db") as committer:
        committer.submit(order)
        ended = committer.archive(order.job_id, CANCELLED, ADA).result(60)
        again = committer.archive(order.job_id, Outcome(phase=Phase.SUCCEEDED), ADA).result(60)
        retried = committer.submit(order).result(60)
    assert path_of(order) not in files_of(repository)
    assert again.existed
    assert again.outcome == CANCELLED
    assert retried.existed
    manifest = from_yaml(content_of(repository, ended.path))
    assert (
        Outcome.model_validate_json(manifest["metadata"]["annotations"].pop("ml-platform/outcome"))
        == CANCELLED
    )
    assert manifest == from_yaml(order.content)


def test_what_is_not_there_cannot_be_archived(repository: Path, tmp_path: Path):
    with (
        committing(repository, tmp_path / "journal.db") as committer,
        pytest.raises(NotFoundError),
    ):
        committer.archive("nothing", CANCELLED, ADA).result(60)


STRANGE = {
    "no mapping": b"- a\n",
    "no metadata": b"kind: RayJob\n",
    "a second document": b"a: 1\n---\nb: 2\n",
    "a doubled key": b"a: 1\na: 2\n",
    "an alias bomb": b"a: &a [x, x]\nb: &b [*a, *a]\nmetadata: {annotations: {x: *b}}\n",
    "a merge key": b"metadata:\n  <<: {annotations: {}}\n",
    "a date that is none": b"metadata: {annotations: {x: 2026-13-45}}\n",
    "beyond depth": b"[" * 200_000 + b"]" * 200_000,
    "bytes that are no text": b"\xff\xfe\x00",
    "a tag of Python": b"!!python/object/apply:os.system [id]\n",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_manifest_of_somebody_else_harms_no_other_job(
    repository: Path, tmp_path: Path, kind: str
):
    order = submission("a")
    with committing(repository, tmp_path / "journal.db") as committer:
        committer.submit(order).result(60)
        path = path_of(order)
        push(repository, {path: STRANGE[kind], path.replace("a-", "c-", 1): b"[["})
        bad = committer.archive(order.job_id, CANCELLED, ADA)
        good = committer.submit(submission("b"))
        assert not good.result(60).existed
        with pytest.raises(InputError, match="manifest cannot be read"):
            bad.result(60)


def test_an_outcome_that_cannot_be_written_harms_no_other_job(repository: Path, tmp_path: Path):
    order = submission("a")
    strange = Outcome(phase=Phase.SUCCEEDED, summary={"file": "half a character: \ud83d"})
    journal = SqliteJournal(tmp_path / "journal.db")
    committer = Committer(GitopsRepository(repository), journal)
    submitted = committer.submit(order)  # all three wait for the same turn
    bad, good = committer.archive(order.job_id, strange, ADA), committer.submit(submission("b"))
    committer.start()
    committer.stop()
    journal.close()
    assert submitted.result(0).commit and good.result(0).commit
    with pytest.raises(InputError, match="outcome cannot be written"):
        bad.result(0)


def test_a_repository_that_cannot_be_written_is_said_at_once_and_mended_later(
    repository: Path, tmp_path: Path
):
    objects, away = repository / "objects", repository / "objects-away"
    with committing(repository, tmp_path / "journal.db") as committer:
        committer.submit(submission("a")).result(60)
        objects.rename(away)
        objects.write_text("the disk is gone")
        with pytest.raises(ServiceUnavailableError) as caught:
            committer.submit(submission("b")).result(60)
        assert caught.value.retryable
        objects.unlink()
        away.rename(objects)
        assert not committer.submit(submission("b")).result(60).existed


def test_a_branch_that_cannot_be_moved_is_no_race(repository: Path):
    writer = GitopsRepository(repository)
    head = writer.head()
    tip = writer.write_commit(head, Edit({"a": b"a"}, "a", ADA)).sha
    moved = writer.write_commit(head, Edit({"b": b"b"}, "b", ADA)).sha
    assert writer.swap(head, tip)
    assert not writer.swap(head, moved)
    lock = repository / "refs" / "heads" / "main.lock"
    lock.touch()
    assert not writer.swap(tip, moved)  # somebody is moving it: worth another try
    lock.unlink()
    assert writer.head() == tip


def test_a_committer_that_stops_finishes_what_waits_and_refuses_the_rest(
    repository: Path, tmp_path: Path
):
    journal = SqliteJournal(tmp_path / "journal.db")
    committer = Committer(GitopsRepository(repository), journal)
    waiting = [committer.submit(submission(f"job-{n}")) for n in range(5)]
    committer.start()
    committer.stop()
    assert all(future.result(0).commit for future in waiting)
    with pytest.raises(ServiceUnavailableError):
        committer.submit(submission("late")).result(1)
    journal.close()


def test_two_services_that_start_at_once_seed_one_repository(tmp_path: Path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "pools.yaml").write_text("x: 1\n")
    barrier = threading.Barrier(8)

    def start() -> str:
        barrier.wait()
        return seed(tmp_path / "gitops.git", tmp_path / "source").head()

    with ThreadPoolExecutor(8) as threads:
        heads = {future.result() for future in [threads.submit(start) for _ in range(8)]}
    assert len(heads) == 1
    assert [path.name for path in tmp_path.iterdir() if "gitops" in path.name] == ["gitops.git"]


@pytest.mark.parametrize(
    "owner", ["user:default/a\nb", "user:default/<e@x>", "user:de\0f/", "", "/", "user:x/é" * 99]
)
def test_an_author_is_always_one_that_git_takes(owner: str):
    author = author_of(owner)
    assert author.name.strip()
    assert not set(author.name + author.email) & set("<>\n\r\0")
    assert pygit2.Signature(author.name, author.email)
