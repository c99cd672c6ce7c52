"""A job's line in the journal, and how commits and observations change it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_platform.budget import month_of, worker_hours
from ml_platform.cluster.fields import condition, mapping, text
from ml_platform.cluster.interface import Observed
from ml_platform.job import MAX_DURATION, JobSpec, Phase
from ml_platform.repository.git import CommitInfo
from ml_platform.state import Facts, JobState, Outcome

UNKNOWN = "unknown"
NOTHING = Observed()


@dataclass(frozen=True)
class Row:
    """One job. `hops`: name of a hop → ISO time, filled as they are seen."""

    job_id: str
    team: str
    owner: str
    key_hash: str
    request_hash: str
    path: str
    active: bool
    spec: dict[str, Any]
    commits: list[dict[str, str]]
    hops: dict[str, str]
    outcome: Outcome | None = None
    observed: Observed = NOTHING
    headline: dict[str, Any] | None = None
    phase: Phase = Phase.SUBMITTED
    reason: str | None = None
    attempt: int = 0
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    position: int = 0

    @property
    def submitted_at(self) -> datetime:
        return datetime.fromisoformat(self.commits[0]["at"])

    def moment(self, hop: str) -> datetime | None:
        """When it passed a hop of its road; None when it has not, or nobody saw it."""
        value = self.hops.get(hop)
        return datetime.fromisoformat(value) if value else None

    def job_spec(self) -> JobSpec:
        return JobSpec.model_validate(self.spec)

    @property
    def manifest_commit(self) -> str:
        """The newest commit that has the manifest at `path`."""
        removed = not self.active and self.outcome is None
        return self.commits[-2 if removed and len(self.commits) > 1 else -1]["sha"]

    def removed(self, commit: CommitInfo) -> Row:
        """The manifest was taken away without an archive entry: somebody did it by hand."""
        ended = replace(self, active=False, commits=[*self.commits, commit_entry(commit)])
        return replace(ended, hops={**self.hops, "ended": commit.at.isoformat()})

    def facts(self) -> Facts:
        """What decides how the job stands."""
        seen = self.observed
        return Facts(
            active=self.active,
            outcome=self.outcome,
            rayjob=seen.rayjob,
            workload=seen.workload,
            queue=seen.queue,
            pods=seen.pods,
            events=seen.events,
            application=seen.application,
            job_id=self.job_id,
        )

    def seen(self, observed: Observed) -> Row:
        """With what the cluster has of it now.

        Whatever else is gone, the last look at the object and its Workload stays: it says how far
        the job came, and the Workload is the only one to count evictions.
        """
        before = self.observed
        if observed.rayjob is None and (self.phase.final or not self.active):
            return self
        if observed.workload is None and _same_object(observed.rayjob, before.rayjob):
            observed = replace(observed, workload=before.workload)
        return replace(self, observed=observed, hops=_hops_of(self.hops, observed))

    def seen_before(self, old: Row) -> Row:
        """With what an earlier journal had seen of the same job."""
        row = self.seen(old.observed) if old.observed.rayjob is not None else self
        return replace(row, headline=old.headline)

    def with_headline(self, headline: dict[str, Any]) -> Row:
        return replace(self, headline=headline)

    def standing(self, state: JobState, before: Row | None) -> Row:
        """The row with its state; `since` moves only when the phase does."""
        same = before is not None and before.phase == state.phase
        since = before.since if same and before else datetime.now(UTC)
        if not same and state.phase.final and self.outcome and self.outcome.ended_at:
            since = self.outcome.ended_at
        return replace(
            self, phase=state.phase, reason=state.reason, attempt=state.attempt, since=since
        )

    def as_tuple(self, position: int) -> tuple[Any, ...]:
        cost = self.outcome.cost if self.outcome else None
        return (
            self.job_id,
            position,
            self.team,
            self.owner,
            str(self.spec.get("workload", UNKNOWN)),
            str(self.spec.get("pool", UNKNOWN)),
            self.key_hash,
            self.request_hash,
            self.path,
            int(self.active),
            self.phase.value,
            self.reason,
            self.attempt,
            self.since.isoformat(),
            json.dumps(self.spec),
            json.dumps(self.commits),
            json.dumps(self.hops),
            self.outcome.model_dump_json() if self.outcome else None,
            json.dumps(self.observed.rayjob) if self.observed.rayjob is not None else None,
            json.dumps(self.observed.surroundings()),
            json.dumps(self.headline) if self.headline else None,
            self._cores(),
            self._worker_hours(),
            self._month(),
            cost.amount if cost else None,
            cost.currency if cost else None,
        )

    def _cores(self) -> float:
        """What its workers ask for together; 0 for a manifest that does not say."""
        try:
            return float(self.spec["cpu"]) * int(self.spec["workers"])
        except (KeyError, TypeError, ValueError):
            return 0.0

    def _worker_hours(self) -> float:
        """The most that one attempt takes; of a time limit that the platform does not allow, since
        somebody pushed it, the longest that it does."""
        workers = int(self.spec.get("workers", 0))
        try:
            return worker_hours(workers, self.spec["max_duration"])
        except (KeyError, ValueError):
            return workers * (MAX_DURATION / timedelta(hours=1))

    def _month(self) -> str | None:
        """In which it ended; None while it has not."""
        ended = self.outcome.ended_at if self.outcome else None
        try:
            return month_of(ended) if ended else None
        except OverflowError:  # somebody has written the year 1
            return None

    @classmethod
    def from_sqlite(cls, row: sqlite3.Row) -> Row:
        return cls(
            job_id=row["job_id"],
            team=row["team"],
            owner=row["owner"],
            key_hash=row["key_hash"],
            request_hash=row["request_hash"],
            path=row["path"],
            active=bool(row["active"]),
            spec=json.loads(row["spec"]),
            commits=json.loads(row["commits"]),
            hops=json.loads(row["hops"]),
            outcome=Outcome.model_validate_json(row["outcome"]) if row["outcome"] else None,
            observed=Observed.of(
                json.loads(row["rayjob"]) if row["rayjob"] else None, json.loads(row["observed"])
            ),
            headline=json.loads(row["headline"]) if row["headline"] else None,
            phase=Phase(row["phase"]),
            reason=row["reason"],
            attempt=row["attempt"],
            since=datetime.fromisoformat(row["since"]),
            position=row["position"],
        )


_OF_THE_OBJECT = {"applied", "admitted", "cluster-ready", "running", "ended"}


def _hops_of(before: dict[str, str], observed: Observed) -> dict[str, str]:
    hops, status = dict(before), mapping(observed.rayjob, "status")
    created = text(observed.rayjob, "metadata", "creationTimestamp")
    if created and "applied" in hops and not _same_moment(created, hops["applied"]):
        # Another object than the one before, as a cluster that is made anew from Git has it.
        hops = {name: at for name, at in hops.items() if name not in _OF_THE_OBJECT}
    note_hop(hops, "applied", created)
    # KubeRay begins with a job, and notes the time, before Kueue has suspended it.
    admitted = condition(observed.workload, "Admitted")
    if observed.cluster is None:
        note_hop(hops, "admitted", text(status, "startTime"))
    elif admitted.get("status") == "True":
        if "running" not in hops:  # it was sent back before it began: that admission led nowhere
            hops.pop("admitted", None)
        note_hop(hops, "admitted", text(admitted, "lastTransitionTime"))
    ready = text(status, "rayClusterStatus", "stateTransitionTimes", "ready")
    note_hop(hops, "cluster-ready", ready)
    note_hop(hops, "running", text(status, "rayJobInfo", "startTime"))
    note_hop(hops, "ended", text(status, "endTime"))
    return hops


def _same_moment(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) == datetime.fromisoformat(other)


def _same_object(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    return text(one, "metadata", "uid") == text(other, "metadata", "uid")


def commit_entry(commit: CommitInfo) -> dict[str, str]:
    return {
        "sha": commit.sha,
        "author": commit.author.name,
        "email": commit.author.email,
        "at": commit.at.isoformat(),
    }


def note_hop(hops: dict[str, str], name: str, value: str | None) -> None:
    if value:
        hops.setdefault(name, value)
