"""Applied jobs of this machine, in a SQLite file: what the API server's store is to a cluster."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_platform.cluster.interface import Capacity, LogStream, Observed, Resources
from ml_platform.errors import NotFoundError

log = logging.getLogger(__name__)
Observer = Callable[[str, Observed | None], None]
HOLDING = frozenset({"Initializing", "Running", "Retrying"})
ENDED = frozenset({"Complete", "Failed", "ValidationFailed"})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    job_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL, path TEXT NOT NULL, oid TEXT NOT NULL,
    rayjob TEXT NOT NULL, cpus REAL NOT NULL, memory_mib INTEGER NOT NULL, gpus INTEGER NOT NULL,
    attempt INTEGER NOT NULL, session TEXT, not_before REAL NOT NULL, stopping TEXT
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_NOTHING = Resources()


@dataclass(frozen=True)
class Record:
    """An applied job: the object that everybody sees and what only the agent needs to go on."""

    job_id: str
    sequence: int  # order of arrival
    path: str
    oid: str
    rayjob: dict[str, Any]
    need: Resources = _NOTHING
    attempt: int = 0
    session: str | None = None  # the Ray session that the attempt was handed to
    not_before: float = 0.0  # unix time at which the attempt begins
    stopping: str | None = None  # why the attempt is being stopped

    @property
    def status(self) -> dict[str, Any]:
        status = self.rayjob.get("status")
        return status if isinstance(status, dict) else {}

    @property
    def deployment(self) -> str:
        return str(self.status.get("jobDeploymentStatus", ""))

    @property
    def holding(self) -> bool:
        """Whether it holds its share of the machine."""
        return self.deployment in HOLDING

    @property
    def ended(self) -> bool:
        return self.deployment in ENDED

    @property
    def deleted(self) -> bool:
        """Whether its manifest has left the active set."""
        return "deletionTimestamp" in self.rayjob.get("metadata", {})


class LocalCluster:
    """The store. One thread writes (the agent's), any may read."""

    def __init__(
        self, file: Path, total: Resources, observer: Observer = lambda job_id, observed: None
    ) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._observer = observer
        self._total = total
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # The intent to start an attempt must survive a power cut, or the job could run twice.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._records = {
            record.job_id: record
            for record in map(_from_row, self._db.execute("SELECT * FROM objects"))
        }

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def objects(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            return {job_id: record.rayjob for job_id, record in self._records.items()}

    def capacity(self, pool: str | None = None) -> Capacity:
        """Of the machine, which is the only pool that there is."""
        held = Resources()
        for record in self.records():
            if record.holding:
                held += record.need
        return Capacity(total=self._total, free=self._total - held)

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """None: each manifest that cannot be read says so on its own job."""
        return {}

    def pod_log(
        self, team: str, job_id: str, source: str, *, tail: int | None, follow: bool
    ) -> LogStream:
        raise NotFoundError(
            f"{job_id} has no pods: it runs on this machine", hint="its log is the source `job`"
        )

    def records(self) -> list[Record]:
        """All, in order of arrival."""
        with self._lock:
            return sorted(self._records.values(), key=lambda record: record.sequence)

    def put(self, record: Record) -> Record:
        """Store `record`; on disk when this returns. Observers hear of a changed object."""
        with self._lock:
            before = self._records.get(record.job_id)
            if before == record:
                return record
            self._db.execute(
                "INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                _row(record),
            )
            self._records[record.job_id] = record
        if before is None or before.rayjob != record.rayjob:
            self._tell(record.job_id, Observed(record.rayjob))
        return record

    def remove(self, job_id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM objects WHERE job_id = ?", (job_id,))
            self._records.pop(job_id, None)
        self._tell(job_id, None)

    def fact(self, name: str) -> str | None:
        with self._lock:
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _tell(self, job_id: str, observed: Observed | None) -> None:
        try:
            self._observer(job_id, observed)
        except Exception:  # a fault of a page must not stop jobs; `objects()` has the truth
            log.exception("the observer of %s failed", job_id)


def _row(record: Record) -> tuple[object, ...]:
    need = record.need
    return (
        record.job_id,
        record.sequence,
        record.path,
        record.oid,
        json.dumps(record.rayjob, separators=(",", ":")),
        need.cpus,
        need.memory_mib,
        need.gpus,
        record.attempt,
        record.session,
        record.not_before,
        record.stopping,
    )


def _from_row(row: tuple[Any, ...]) -> Record:
    job_id, sequence, path, oid, rayjob, cpus, memory_mib, gpus, *rest = row
    attempt, session, not_before, stopping = rest
    return Record(
        job_id=job_id,
        sequence=sequence,
        path=path,
        oid=oid,
        rayjob=json.loads(rayjob),
        need=Resources(cpus, memory_mib, gpus),
        attempt=attempt,
        session=session,
        not_before=not_before,
        stopping=stopping,
    )
