"""Every job, in order: a projection of Git and of what runs. It can be thrown away and is rebuilt."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_platform.errors import NotFoundError
from ml_platform.journal_row import Row, merged, row_from_manifest
from ml_platform.repository import layout
from ml_platform.repository.committer import Known
from ml_platform.repository.git import CommitInfo, GitopsRepository
from ml_platform.state import Facts, job_state

log = logging.getLogger(__name__)
VERSION = 1
KEEP_EVENTS = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, position INTEGER NOT NULL, team TEXT NOT NULL, owner TEXT NOT NULL,
    workload TEXT NOT NULL, pool TEXT NOT NULL, key_hash TEXT NOT NULL, request_hash TEXT NOT NULL,
    path TEXT NOT NULL, active INTEGER NOT NULL, phase TEXT NOT NULL, reason TEXT,
    attempt INTEGER NOT NULL, since TEXT NOT NULL, spec TEXT NOT NULL, commits TEXT NOT NULL,
    hops TEXT NOT NULL, outcome TEXT, rayjob TEXT, headline TEXT
);
CREATE INDEX IF NOT EXISTS jobs_key ON jobs (key_hash);
CREATE INDEX IF NOT EXISTS jobs_position ON jobs (position);
CREATE INDEX IF NOT EXISTS jobs_team ON jobs (team, position);
CREATE INDEX IF NOT EXISTS jobs_phase ON jobs (phase, position);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, team TEXT NOT NULL
);
"""


class SqliteJournal:
    """Safe to use from several threads; `on_event` is called after each change of a job."""

    def __init__(self, path: Path, on_event: Callable[[], None] = lambda: None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._on_event = on_event
        if self._meta("version") not in (None, str(VERSION)):
            self._forget()
        self._set_meta("version", str(VERSION))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # ── from Git ────────────────────────────────────────────────────────────────────────────────

    def sync(self, repository: GitopsRepository, head: str) -> None:
        """Take over every commit up to `head`; rebuilds when history was rewritten."""
        with self._lock:
            since = self._meta("head")
            if since == head:
                return
            try:
                with self._transaction():
                    self._take(repository, since, head)
            except (NotFoundError, KeyError):
                log.warning("main was rewritten; the journal is rebuilt from %s", head)
                with self._transaction():
                    self._forget()
                    self._take(repository, None, head)
        self._on_event()

    def _take(self, repository: GitopsRepository, since: str | None, head: str) -> None:
        for commit in repository.history(since, head):
            self._take_commit(repository, commit)
        self._set_meta("head", head)

    def _take_commit(self, repository: GitopsRepository, commit: CommitInfo) -> None:
        gone = {place.job_id for path in commit.removed if (place := layout.place(path))}
        for path, oid in commit.added.items():
            place = layout.place(path)
            if place is None:
                continue
            gone.discard(place.job_id)
            try:
                row = row_from_manifest(place, path, repository.read(oid), commit)
            except ValueError as error:
                log.warning("%s is passed over: %s", path, error)
                continue
            before = self._load(place.job_id)
            self._put(merged(row, before), before)
        for job_id in gone:
            known = self._load(job_id)
            if known is not None and known.active:
                self._put(known.removed(commit), known)

    # ── from the cluster ────────────────────────────────────────────────────────────────────────

    def observe(self, job_id: str, rayjob: dict[str, Any] | None) -> None:
        """Take over what an object of the cluster looks like now (None: it is gone)."""
        with self._lock:
            row = self._load(job_id)
            if row is None or (rayjob is None and row.outcome is None and row.active):
                return
            if rayjob is not None and rayjob != row.rayjob:
                with self._transaction():
                    self._put(row.observed(rayjob), row)
        self._on_event()

    def set_headline(self, job_id: str, headline: dict[str, Any]) -> None:
        """Keep a job's newest headline figure for lists."""
        with self._lock:
            row = self._load(job_id)
            if row is not None and row.headline != headline:
                with self._transaction():
                    self._put(row.with_headline(headline), row)
        self._on_event()

    def _put(self, row: Row, before: Row | None) -> None:
        state = job_state(Facts(active=row.active, outcome=row.outcome, rayjob=row.rayjob))
        row = row.standing(state, before)
        position = before.position if before else self._next_position()
        self._db.execute(
            "INSERT OR REPLACE INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            row.as_tuple(position),
        )
        self._db.execute("INSERT INTO events (job_id, team) VALUES (?,?)", (row.job_id, row.team))

    def _next_position(self) -> int:
        (last,) = self._db.execute("SELECT coalesce(max(position), 0) FROM jobs").fetchone()
        return int(last) + 1

    # ── questions ───────────────────────────────────────────────────────────────────────────────

    def by_key(self, key_hash: str) -> Known | None:
        with self._lock:
            found = self._db.execute(
                "SELECT * FROM jobs WHERE key_hash = ? ORDER BY position LIMIT 1", (key_hash,)
            ).fetchone()
        return _known(Row.from_sqlite(found)) if found else None

    def by_id(self, job_id: str) -> Known | None:
        with self._lock:
            row = self._load(job_id)
        return _known(row) if row else None

    def get(self, job_id: str) -> Row:
        """The job; raises NotFoundError."""
        with self._lock:
            row = self._load(job_id)
        if row is None:
            raise NotFoundError(f"there is no job {job_id}", hint="`ml-platform list` shows yours")
        return row

    def select(
        self,
        teams: tuple[str, ...] | None,
        where: dict[str, str | None],
        search: str | None,
        limit: int,
        before: int | None,
        after: int | None = None,
    ) -> tuple[list[Row], int]:
        """Newest first: rows of one page and the number of all that match.

        `teams` None means all teams. `where`: equal values of team, phase, owner, workload, pool.
        """
        clauses, values = ["1"], []
        if teams is not None:
            clauses.append(f"team IN ({','.join('?' * len(teams))})")
            values += list(teams)
        for column, value in where.items():
            if value is not None:
                clauses.append(f"{column} = ?")
                values.append(value)
        if search:
            pattern = (
                "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            )
            clauses.append("(job_id LIKE ? ESCAPE '\\' OR owner LIKE ? ESCAPE '\\')")
            values += [pattern, pattern]
        condition = " AND ".join(clauses)
        with self._lock:
            (total,) = self._db.execute(
                f"SELECT count(*) FROM jobs WHERE {condition}", values
            ).fetchone()
            page = self._db.execute(
                f"SELECT * FROM jobs WHERE {condition} AND position < ? AND position > ?"
                " ORDER BY position DESC LIMIT ?",
                [*values, 2**62 if before is None else before, after or 0, limit],
            ).fetchall()
        return [Row.from_sqlite(found) for found in page], int(total)

    def active(self) -> list[Row]:
        """Jobs of the active set, in the order of their commits."""
        with self._lock:
            found = self._db.execute(
                "SELECT * FROM jobs WHERE active = 1 ORDER BY position"
            ).fetchall()
        return [Row.from_sqlite(row) for row in found]

    def last_event(self) -> int:
        with self._lock:
            (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        return int(last)

    def events(self, after: int, limit: int = 500) -> list[tuple[int, str]]:
        """`(seq, job id)` of changes after `after`: of several on one job, the last."""
        with self._lock:
            found = self._db.execute(
                "SELECT max(seq) AS seq, job_id FROM (SELECT seq, job_id FROM events WHERE seq > ?"
                " ORDER BY seq LIMIT ?) GROUP BY job_id ORDER BY seq",
                (after, limit),
            ).fetchall()
        return [(int(row["seq"]), str(row["job_id"])) for row in found]

    def epoch(self) -> str:
        """Changes when the journal was made anew: cursors of another epoch are void."""
        with self._lock:
            epoch = self._meta("epoch")
            if epoch is None:
                epoch = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
                self._set_meta("epoch", epoch)
        return epoch

    # ── storage ─────────────────────────────────────────────────────────────────────────────────

    def _load(self, job_id: str) -> Row | None:
        found = self._db.execute("SELECT * FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        return Row.from_sqlite(found) if found else None

    def _meta(self, key: str) -> str | None:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(found["value"]) if found else None

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def _forget(self) -> None:
        for table in ("jobs", "events", "meta"):
            self._db.execute(f"DELETE FROM {table}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


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
