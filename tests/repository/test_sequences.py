"""Family 10: what may happen in any order, against a model of what must then be true."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pygit2
from foreign_writer import git, push
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from service_world import ADA, TEAM, files_of, settings_in

from ml_platform.actions import cancel, submit
from ml_platform.actions.context import ActionContext
from ml_platform.errors import ConflictError, NotFoundError
from ml_platform.job import JobRequest, Phase
from ml_platform.repository import layout
from ml_platform.repository.author import author_of
from ml_platform.service.auth import Principal
from ml_platform.service.platform import Platform
from ml_platform.state import Outcome

PRINCIPAL = Principal(ADA, "user", frozenset({f"group:default/{TEAM}"}))
KEYS = st.sampled_from(["a", "b", "c", "d"])


class Sequences(RuleBasedStateMachine):
    """`jobs`: key → (what was asked, job id, how it ended or None)."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sequences-"))
        self.settings = settings_in(self.folder)
        self.platforms: list[Platform] = []
        self.jobs: dict[str, tuple[int, str, Phase | None]] = {}
        self.saved: tuple[str, dict[str, tuple[int, str, Phase | None]]] | None = None
        self.day = date(2026, 1, 31)

    @initialize()
    def begin(self) -> None:
        self._start()

    def _start(self) -> None:
        platform = Platform(self.settings)
        platform.today = lambda: self.day
        platform.start()
        self.platforms.append(platform)

    @property
    def platform(self) -> Platform:
        return self.platforms[-1]

    def teardown(self) -> None:
        for platform in self.platforms:
            platform.stop()
        shutil.rmtree(self.folder)

    def _submit(self, platform: Platform, key: str, count: int) -> submit.Output:
        request = JobRequest(workload="tiny", version="v1", team=TEAM, parameters={"count": count})
        return submit.run(request, ActionContext(platform, PRINCIPAL, key))

    @rule(key=KEYS, count=st.integers(0, 1), which=st.integers(0, 3))
    def submits(self, key: str, count: int, which: int) -> None:
        platform = self.platforms[which % len(self.platforms)]
        known = self.jobs.get(key)
        if known is None:
            output = self._submit(platform, key, count)
            assert not output.already_existed
            self.jobs[key] = (count, output.job_id, None)
        elif known[0] == count:
            output = self._submit(platform, key, count)
            assert (output.already_existed, output.job_id) == (True, known[1])
        else:
            try:
                self._submit(platform, key, count)
            except ConflictError:
                return
            raise AssertionError("another body under the same key was taken")

    @rule(key=KEYS, which=st.integers(0, 3))
    def cancels(self, key: str, which: int) -> None:
        platform = self.platforms[which % len(self.platforms)]
        if key not in self.jobs:
            return
        count, job_id, ended = self.jobs[key]
        try:
            output = cancel.run(
                cancel.Input(job_id=job_id), ActionContext(platform, PRINCIPAL, "x")
            )
        except NotFoundError:  # that service has not yet read what the other one wrote
            platform.journal.sync(platform.repository, platform.repository.head())
            return
        assert output.state == (ended or Phase.CANCELLED)
        self.jobs[key] = (count, job_id, ended or Phase.CANCELLED)

    @rule(key=KEYS)
    def ends(self, key: str) -> None:
        """What the agent does when a job has succeeded, perhaps after somebody cancelled it."""
        if key in self.jobs:
            count, job_id, ended = self.jobs[key]
            outcome = Outcome(phase=Phase.SUCCEEDED)
            author = author_of(ADA)
            receipt = self.platform.committer.archive(job_id, outcome, author).result(60)
            assert receipt.outcome is not None
            assert receipt.outcome.phase == (ended or Phase.SUCCEEDED)
            self.jobs[key] = (count, job_id, ended or Phase.SUCCEEDED)

    @rule(days=st.integers(-40, 40))
    def the_clock_jumps(self, days: int) -> None:
        self.day += timedelta(days=days)

    @precondition(lambda self: len(self.platforms) < 3)
    @rule()
    def another_service_starts(self) -> None:
        """Over the same state, while the old one runs: a crash leaves no more behind than this."""
        self._start()

    @rule()
    def the_journal_is_lost_and_made_again(self) -> None:
        for platform in self.platforms:
            platform.stop()
        self.platforms.clear()
        before = self._lines()
        for path in self.settings.state_dir.glob("journal.db*"):
            path.unlink()
        assert self._lines() == before
        self._start()

    def _lines(self) -> list[object]:
        """The journal's lines, but for what only the moment of looking knows."""
        platform = Platform(self.settings)
        platform.journal.sync(platform.repository, platform.repository.head())
        rows, _ = platform.journal.select(None, {}, None, 100, None)
        platform.journal.close()
        return [
            (
                *(row.job_id, row.path, row.active, row.phase, row.reason, row.commits, row.spec),
                *(row.hops, row.outcome, row.key_hash, row.request_hash, row.owner, row.attempt),
            )
            for row in rows
        ]

    @rule(path=st.sampled_from(["docs/a.md", f"jobs/{TEAM}/000/_anchor.yaml"]))
    def somebody_else_pushes(self, path: str) -> None:
        push(self.settings.gitops_repository, {path: b"x: 1\n"})

    @rule()
    def a_state_is_remembered(self) -> None:
        self.saved = (self.platform.repository.head(), dict(self.jobs))

    @precondition(lambda self: self.saved is not None)
    @rule()
    def the_branch_is_forced_back(self) -> None:
        """What was committed since is gone; what was there before is what counts."""
        assert self.saved is not None
        commit, self.jobs = self.saved[0], dict(self.saved[1])
        git(self.settings.gitops_repository, "update-ref", "refs/heads/main", commit)
        for platform in self.platforms:
            platform.journal.sync(platform.repository, commit)

    @invariant()
    def git_has_every_job_once_and_where_it_belongs(self) -> None:
        places = [
            p
            for path in files_of_main(self.settings.gitops_repository)
            if (p := layout.place(path))
        ]
        assert sorted((p.job_id, p.active) for p in places) == sorted(
            (job_id, ended is None) for _, job_id, ended in self.jobs.values()
        )
        assert all(place.team == TEAM for place in places)

    @invariant()
    def each_job_was_added_by_one_commit(self) -> None:
        if not self.platforms:
            return
        repo = pygit2.Repository(str(self.settings.gitops_repository))
        walk = repo.walk(repo.references["refs/heads/main"].target)
        subjects = [commit.message for commit in walk]
        added = sorted(text for text in subjects if text.startswith("Add "))
        assert added == sorted(f"Add {job_id}\n" for _, job_id, _ in self.jobs.values())


def files_of_main(repository: Path) -> dict[str, str]:
    return files_of(repository) if (repository / "HEAD").is_file() else {}


TestSequences = Sequences.TestCase
TestSequences.settings = settings(
    settings.get_profile("ci"), max_examples=15, stateful_step_count=25
)
