"""Every job, in order: a projection of Git and of what runs. Thrown away, it is rebuilt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_platform.cluster.fields import text
from ml_platform.cluster.interface import Observed
from ml_platform.errors import NotFoundError
from ml_platform.job import Phase
from ml_platform.journal_commits import merged, read_manifest, row_from_manifest
from ml_platform.journal_database import JournalDatabase
from ml_platform.journal_row import Row
from ml_platform.journal_search import Value, search_condition
from ml_platform.repository import layout
from ml_platform.repository.git import CommitInfo, GitopsRepository
from ml_platform.repository.orders import Known, Written
from ml_platform.state import job_state

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expenses:
    """`spent`: the sum of what ended jobs have cost. `worker_hours`: by pool, the most that the
    workers of active jobs take, one attempt each. `known_keys`: of the keys asked for."""

    spent: float
    worker_hours: Mapping[str, float]
    known_keys: frozenset[str]


class SqliteJournal:
    """Safe to use from several threads; `on_event` is called after each change of a job."""

    def __init__(self, path: Path, on_event: Callable[[], None] = lambda: None) -> None:
        self._database = JournalDatabase(path)
        self._on_event = on_event

    def close(self) -> None:
        self._database.close()

    # ── from Git ────────────────────────────────────────────────────────────────────────────────

    def sync(self, repository: GitopsRepository, head: str, written: Written | None = None) -> None:
        """Take over every commit up to `head`; rebuilds when history was rewritten.

        `head` may be old news by now: the journal never goes back to it, it goes on to `main`.
        `written` saves reading from Git what has just been put there.
        """
        if self._database.fact("head") == head:
            return
        with self._database.transaction():
            since = self._database.fact("head")
            if written is None:
                # In here the journal is never ahead of it: an old `head` would be looked for down to the
                # first commit.
                head = repository.head()
            if since == head:
                return
            if written is not None and since == written.parent:
                for commit, manifests in written.commits:
                    self._take(repository, commit, manifests)
                self._database.set_fact("head", head)
            elif not self._take_history(repository, since, head):
                head = repository.head()
                if since == head:
                    return
                self._catch_up(repository, since, head)
        self._on_event()

    def _catch_up(self, repository: GitopsRepository, since: str | None, head: str) -> None:
        """From `since` to `main`; from nothing when `main` was rewritten."""
        if self._take_history(repository, since, head):
            return
        log.warning("main was rewritten; the journal is rebuilt from %s", head)
        seen = self._rows("WHERE rayjob IS NOT NULL OR headline IS NOT NULL")
        self._database.forget()
        self._take_history(repository, None, head)
        for old in seen:
            new = self._database.load(old.job_id)
            if new is not None and new.key_hash == old.key_hash:
                self._put(new.seen_before(old), new)

    def _take_history(self, repository: GitopsRepository, since: str | None, head: str) -> bool:
        """Take over what lies between; False when `since` is no ancestor of `head`."""
        try:
            commits = repository.history(since, head)
        except NotFoundError:
            return False
        for commit in commits:
            self._take(repository, commit, {})
        self._database.set_fact("head", head)
        return True

    def _take(
        self, repository: GitopsRepository, commit: CommitInfo, manifests: dict[str, Any]
    ) -> None:
        for path, oid in commit.added.items():
            place = layout.place(path)
            if place is None:
                continue
            try:
                manifest = manifests.get(path) or read_manifest(repository.read(oid))
                row = row_from_manifest(place, path, manifest, commit)
            except ValueError as error:
                log.warning("%s is passed over: %s", path, error)
                continue
            before = self._database.load(place.job_id)
            if before and _is_copy(row, before, commit):
                log.warning("%s is passed over: the job is %s", path, before.path)
                continue
            self._put(merged(row, before), before)
        for path in commit.removed:
            place = layout.place(path)
            known = self._database.load(place.job_id) if place else None
            if known is None or not known.active or known.path != path:
                continue
            # A copy that was passed over when it came is the job's file now.
            copy = _copy_of(known, repository, commit)
            self._put(merged(copy, known) if copy else known.removed(commit), known)

    # ── from the cluster ────────────────────────────────────────────────────────────────────────

    def observe(self, job_id: str, observed: Observed | None) -> None:
        """Take over what the cluster has of a job now.

        None: it is gone. That alone ends nothing: Git says what shall be, and its commit tells how
        the job ended; the last look at the object stays.
        """
        if observed is not None:
            self.observe_all({job_id: observed})

    def observe_all(self, found: Mapping[str, Observed]) -> set[str]:
        """The same for many jobs at once; gives those whose commit has not been taken over yet."""
        changed, unknown = False, set()
        with self._database.transaction():
            for job_id, observed in found.items():
                row = self._database.load(job_id)
                if row is None:
                    unknown.add(job_id)
                if row is None or _is_foreign(row, observed):
                    continue
                seen = row.seen(observed)
                if seen.observed != row.observed:
                    self._put(seen, row)
                    self._log_step(job_id, row)
                    changed = True
        if changed:
            self._on_event()
        return unknown

    def _log_step(self, job_id: str, before: Row) -> None:
        """Attempts begin and end where phase or attempt change."""
        row = self._database.load(job_id)
        if row is None or (row.phase, row.attempt) == (before.phase, before.attempt):
            return
        why = f": {row.reason}" if row.reason else ""
        log.info("%s is %s, attempt %d%s", job_id, row.phase.value, row.attempt + 1, why)

    def set_headline(self, job_id: str, headline: dict[str, Any]) -> None:
        """Keep a job's newest headline figure for lists."""
        self._update(
            job_id, lambda row: row if row.headline == headline else row.with_headline(headline)
        )

    def _update(self, job_id: str, change: Callable[[Row], Row]) -> None:
        with self._database.transaction():
            row = self._database.load(job_id)
            changed = change(row) if row is not None else None
            if changed is row or changed is None:
                return
            self._put(changed, row)
        self._on_event()

    def _put(self, row: Row, before: Row | None) -> None:
        state = job_state(row.facts())
        self._database.put(row.standing(state, before), before)

    # ── questions ───────────────────────────────────────────────────────────────────────────────

    def by_key(self, key_hash: str) -> Known | None:
        found = self._rows("WHERE key_hash = ? ORDER BY position LIMIT 1", (key_hash,))
        return _known(found[0]) if found else None

    def by_id(self, job_id: str) -> Known | None:
        row = self._database.load(job_id)
        return _known(row) if row else None

    def get(self, job_id: str) -> Row:
        """The job; raises NotFoundError."""
        row = self._database.load(job_id)
        if row is None:
            raise NotFoundError(
                f"there is no job {job_id[:80]}", hint="`ml-platform list` shows yours"
            )
        return row

    def select(
        self,
        teams: tuple[str, ...] | None,
        where: Mapping[str, Value],
        search: str | None,
        limit: int,
        before: int | None,
    ) -> tuple[list[Row], int]:
        """Newest first: rows of one page and the number of all that match.

        `teams` None means all teams. `where`: values of team, phase, owner, workload, pool.
        `search`: a part of the id, of the owner or of a tag.
        """
        condition, values = search_condition(teams, where, search)
        count = f"SELECT count(*) FROM jobs WHERE {condition}"  # noqa: S608  # names are ours
        (total,) = self._database.query(count, tuple(values))[0]
        page = self._rows(
            f"WHERE {condition} AND position < ? ORDER BY position DESC LIMIT ?",
            (*values, 2**62 if before is None else before, limit),
        )
        return page, int(total)

    def after(self, position: int, limit: int) -> list[Row]:
        """Jobs added after the one at `position`, oldest first."""
        return self._rows("WHERE position > ? ORDER BY position LIMIT ?", (position, limit))

    def active(self) -> list[Row]:
        """Jobs of the active set, in the order of their commits."""
        return self._rows("WHERE active = 1 ORDER BY position")

    def standing(self, phases: Collection[Phase]) -> list[Row]:
        """Jobs of the active set in one of the phases."""
        places = ",".join("?" * len(phases))
        condition = f"WHERE active = 1 AND phase IN ({places}) ORDER BY position"
        return self._rows(condition, tuple(phase.value for phase in phases))

    def counts(self) -> dict[str, int]:
        """How many jobs of the active set are in each phase."""
        found = self._database.query(
            "SELECT phase, count(*) AS jobs FROM jobs WHERE active = 1 GROUP BY phase"
        )
        return {str(row["phase"]): int(row["jobs"]) for row in found}

    def demand(self) -> list[tuple[str, int, float, int]]:
        """Pool, workers, cores and GPUs per worker of each job of the active set."""
        found = self._database.query(
            "SELECT pool, json_extract(spec, '$.workers') AS workers, json_extract(spec, '$.cpu')"
            " AS cpu, json_extract(spec, '$.gpus') AS gpus FROM jobs WHERE active = 1"
        )
        return [(row["pool"], row["workers"], row["cpu"], row["gpus"]) for row in found]

    def load(self, pool: str) -> tuple[int, float]:
        """Jobs of the active set in a pool, and the cores that their workers ask for."""
        ((jobs, cores),) = self._database.query(
            "SELECT count(*), total(cores) FROM jobs WHERE active = 1 AND pool = ?", (pool,)
        )
        return int(jobs), float(cores)

    def expenses(
        self, team: str, month: str, currency: str, keys: Collection[str] = ()
    ) -> Expenses:
        """What a team has spent in a month, `2026-11`, and may be spending now; and which of the
        `keys` (hashes of idempotency keys) have their job in it: all at one moment."""
        with self._database.lock:
            ((spent,),) = self._database.query(
                "SELECT total(cost) FROM jobs WHERE active = 0 AND team = ? AND month = ?"
                " AND currency = ?",
                (team, month, currency),
            )
            active = self._database.query(
                "SELECT pool, total(worker_hours) AS hours FROM jobs WHERE active = 1 AND team = ?"
                " GROUP BY pool",
                (team,),
            )
            places = ",".join("?" * len(keys))
            there = self._database.query(
                f"SELECT key_hash FROM jobs WHERE key_hash IN ({places})",  # noqa: S608  # question marks
                tuple(keys),
            )
        known = frozenset(str(row["key_hash"]) for row in there)
        hours = {str(row["pool"]): float(row["hours"]) for row in active}
        return Expenses(float(spent), hours, known)

    def not_applied(self, folder: str) -> list[Row]:
        """Jobs that shall exist in a folder, `jobs/<team>/<shard>`, and have not been seen."""
        return self._rows(
            "WHERE active = 1 AND rayjob IS NULL AND path >= ? AND path < ?",
            (f"{folder}/", f"{folder}0"),
        )

    def last_event(self) -> int:
        return self._database.last_event()

    def events(self, after: int, limit: int = 500) -> list[tuple[int, str]]:
        """`(seq, job id)` of changes after `after`: of several on one job, the last."""
        found = self._database.query(
            "SELECT max(seq) AS seq, job_id FROM (SELECT seq, job_id FROM events WHERE seq > ?"
            " ORDER BY seq LIMIT ?) GROUP BY job_id ORDER BY seq",
            (after, limit),
        )
        return [(int(row["seq"]), str(row["job_id"])) for row in found]

    def epoch(self) -> str:
        """Changes when the journal was made anew: cursors of another epoch are void."""
        if (known := self._database.fact("epoch")) is not None:
            return known
        with self._database.transaction():
            epoch = self._database.fact("epoch") or datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
            self._database.set_fact("epoch", epoch)
        return epoch

    def _rows(self, condition: str, values: tuple[Any, ...] = ()) -> list[Row]:
        found = self._database.query(
            f"SELECT * FROM jobs {condition}",  # noqa: S608  # conditions are of this file
            values,
        )
        return [Row.from_sqlite(row) for row in found]


def _is_foreign(row: Row, observed: Observed) -> bool:
    """Whether it is another team's object, which merely has the same name."""
    return text(observed.rayjob, "metadata", "namespace") not in ("", row.team)


def _known(row: Row) -> Known:
    return Known(
        job_id=row.job_id,
        team=row.team,
        path=row.path,
        active=row.active,
        request_hash=row.request_hash,
        submitted_at=row.submitted_at,
        commit=row.commits[-1]["sha"],
        outcome=row.outcome,
    )


def _is_copy(row: Row, before: Row, commit: CommitInfo) -> bool:
    """Whether somebody put a job's file into a second folder and left the first where it was."""
    moved = before.path in commit.removed
    return row.active and before.active and row.path != before.path and not moved


def _copy_of(known: Row, repository: GitopsRepository, commit: CommitInfo) -> Row | None:
    """The job as another folder of its team has it, whose own place has lost its file."""
    for shard in repository.folders(commit.sha, layout.jobs_folder(known.team)):
        path = layout.job_file(known.team, shard, known.job_id)
        place = layout.place(path)
        if place is None:
            continue
        try:
            manifest = read_manifest(repository.read_path(commit.sha, path))
            return row_from_manifest(place, path, manifest, commit)
        except NotFoundError:
            continue
        except ValueError as error:
            log.warning("%s is passed over: %s", path, error)
    return None
