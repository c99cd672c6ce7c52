"""The journal's SQLite file: tables, transactions and a few facts by name."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml_platform.journal_row import Row

VERSION = 5
_PLACES = ",".join("?" * 26)
KEEP_EVENTS = 100_000
_TRIM_EVERY = 1000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, position INTEGER NOT NULL, team TEXT NOT NULL, owner TEXT NOT NULL,
    workload TEXT NOT NULL, pool TEXT NOT NULL, key_hash TEXT NOT NULL, request_hash TEXT NOT NULL,
    path TEXT NOT NULL, active INTEGER NOT NULL, phase TEXT NOT NULL, reason TEXT,
    attempt INTEGER NOT NULL, since TEXT NOT NULL, spec TEXT NOT NULL, commits TEXT NOT NULL,
    hops TEXT NOT NULL, outcome TEXT, rayjob TEXT, observed TEXT NOT NULL, headline TEXT, cores REAL NOT NULL,
    worker_hours REAL NOT NULL, month TEXT, cost REAL, currency TEXT
);
CREATE INDEX IF NOT EXISTS jobs_key ON jobs (key_hash);
CREATE INDEX IF NOT EXISTS jobs_position ON jobs (position);
CREATE INDEX IF NOT EXISTS jobs_team ON jobs (team, position);
CREATE INDEX IF NOT EXISTS jobs_phase ON jobs (phase, position);
CREATE INDEX IF NOT EXISTS jobs_active ON jobs (phase, position) WHERE active = 1;
CREATE INDEX IF NOT EXISTS jobs_load ON jobs (pool, cores) WHERE active = 1;
CREATE INDEX IF NOT EXISTS jobs_reserved ON jobs (team, pool, worker_hours) WHERE active = 1;
CREATE INDEX IF NOT EXISTS jobs_spent ON jobs (team, month, currency, cost) WHERE active = 0;
CREATE INDEX IF NOT EXISTS jobs_not_applied ON jobs (path) WHERE active = 1 AND rayjob IS NULL;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, team TEXT NOT NULL
);
"""


class JournalDatabase:
    """One connection for all threads of a process; other processes may have the file open too."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._renew()
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self.lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; what is read inside stays true until the end, for other processes too."""
        with self.lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def query(self, text: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self.lock:
            return self._db.execute(text, values).fetchall()

    def fact(self, name: str) -> str | None:
        found = self.query("SELECT value FROM meta WHERE key = ?", (name,))
        return str(found[0]["value"]) if found else None

    def set_fact(self, name: str, value: str) -> None:
        self.query("INSERT OR REPLACE INTO meta VALUES (?,?)", (name, value))

    def load(self, job_id: str) -> Row | None:
        found = self.query("SELECT * FROM jobs WHERE job_id = ?", (job_id,))
        return Row.from_sqlite(found[0]) if found else None

    def put(self, row: Row, before: Row | None) -> None:
        """Write a job's line and note the event."""
        position = before.position if before else self._next_position()
        self.query(
            f"INSERT OR REPLACE INTO jobs VALUES ({_PLACES})",  # noqa: S608  # question marks
            row.as_tuple(position),
        )
        self.query("INSERT INTO events (job_id, team) VALUES (?,?)", (row.job_id, row.team))
        last = self.last_event()
        if last % _TRIM_EVERY == 0:
            self.query("DELETE FROM events WHERE seq <= ?", (last - KEEP_EVENTS,))

    def _next_position(self) -> int:
        return int(self.query("SELECT coalesce(max(position), 0) FROM jobs")[0][0]) + 1

    def last_event(self) -> int:
        return int(self.query("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def _renew(self) -> None:
        """Drop the tables of another version; Git and the cluster fill the new ones. The table of
        events stays: its numbers go on, so that no listener sees an old one twice."""
        with self.transaction():
            if self.query("PRAGMA user_version")[0][0] == VERSION:
                return
            self.query("DROP TABLE IF EXISTS jobs")
            self.query("DROP TABLE IF EXISTS meta")
            self.query(f"PRAGMA user_version = {VERSION}")

    def forget(self) -> None:
        """Empty it; numbers of events go on, so that no listener sees an old one twice."""
        self.query("DELETE FROM jobs")
        self.query("DELETE FROM events")
        self.query("DELETE FROM meta")
