"""The local agent: runs the active set on the local Ray, as Argo CD, Kueue and KubeRay would.

Everything it knows is in the store before it acts, so that it may be killed at any moment.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import yaml

from ml_platform.cluster.interface import Resources
from ml_platform.cluster.local import LocalCluster, Record
from ml_platform.errors import InputError, MlPlatformError, NotFoundError, ServiceUnavailableError
from ml_platform.local import status
from ml_platform.local.admission import Waiting, admit
from ml_platform.local.local_job import local_job
from ml_platform.local.outcome import outcome_of
from ml_platform.local.ray_jobs import RayJobs
from ml_platform.local.runner import Runner
from ml_platform.render import JOB_ID, TEAM
from ml_platform.repository.archiving import Archive, Archiving
from ml_platform.repository.git import ActiveFile, CommitInfo
from ml_platform.yaml_document import from_yaml

log = logging.getLogger(__name__)
IDLE_SECONDS, BUSY_SECONDS = 0.5, 0.2
RAY_PAUSE_SECONDS = 2.0
_HEAD = "applied commit"


class Repository(Protocol):
    """The GitOps repository, as far as it is read here."""

    def head(self) -> str: ...

    def active(self, commit: str) -> Iterator[ActiveFile]: ...

    def history(self, since: str | None, until: str) -> Iterator[CommitInfo]: ...

    def read(self, oid: str) -> bytes: ...


class LocalAgent:
    """Runs in a thread between `start` and `stop`; `wake` makes it look at Git at once."""

    def __init__(
        self,
        repository: Repository,
        archive: Archive,
        cluster: LocalCluster,
        ray: RayJobs,
        images_dir: Path,
    ) -> None:
        self._repository = repository
        self._cluster = cluster
        self._runner = Runner(cluster, ray, images_dir)
        self._archiving = Archiving(archive, self.wake)
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-agent", daemon=True)
        self._applied: str | None = None
        self._ray_silent_until = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave the jobs running; the next agent takes them over."""
        self._stopped.set()
        self._woken.set()
        self._thread.join(timeout=60)

    def wake(self) -> None:
        self._woken.set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            pause = BUSY_SECONDS
            try:
                pause = self.step()
            except Exception:  # whatever it was, other jobs must go on; each turn starts afresh
                log.exception("a turn of the local agent failed; the next follows in 2 s")
                pause = 2.0
            self._woken.wait(pause)
            self._woken.clear()

    def step(self) -> float:
        """One turn; returns after how many seconds the next is due."""
        self._apply()
        if time.monotonic() >= self._ray_silent_until:
            try:
                self._follow()
                self._admit()
            except ServiceUnavailableError as error:
                self._ray_is_silent(error)
        records = self._cluster.records()
        ended = [record for record in records if record.ended and not record.deleted]
        self._archiving.step({record.job_id: partial(outcome_of, record) for record in ended})
        return IDLE_SECONDS if all(_settled(record) for record in records) else BUSY_SECONDS

    def _apply(self) -> None:
        """Make the store's objects those of the active set."""
        head = self._repository.head()
        if head == self._applied:
            return
        known = {record.job_id: record for record in self._cluster.records()}
        wanted = {file.job_id: file for file in self._repository.active(head)}
        for file in self._in_order(
            [
                file
                for job_id, file in wanted.items()
                if job_id not in known or _mended(known[job_id], file)
            ],
            head,
        ):
            self._add(file, known.get(file.job_id))
        for job_id, record in known.items():
            if job_id not in wanted and not record.deleted:
                rayjob = status.deleting(record.rayjob, datetime.now(UTC))
                self._cluster.put(replace(record, rayjob=rayjob))
        self._cluster.set_fact(_HEAD, head)
        # A job that came back while its cancelled self was being stopped is added once that is gone.
        returning = any(record.deleted for job_id, record in known.items() if job_id in wanted)
        self._applied = None if returning else head

    def _in_order(self, files: list[ActiveFile], head: str) -> list[ActiveFile]:
        """In order of their commits; where history was rewritten, by path."""
        order: dict[str, int] = {}
        if len(files) > 1:
            try:
                history: Iterable[CommitInfo] = self._repository.history(
                    self._cluster.fact(_HEAD), head
                )
                for number, commit in enumerate(history):
                    order.update(dict.fromkeys(commit.added, number))
            except (NotFoundError, KeyError):
                log.warning("main was rewritten; jobs found together are taken by path")
        return sorted(files, key=lambda file: (order.get(file.path, 0), file.path))

    def _add(self, file: ActiveFile, before: Record | None) -> None:
        records = self._cluster.records()
        sequence = 1 + max((record.sequence for record in records), default=0)
        now = datetime.now(UTC)
        need = Resources()
        try:
            manifest = _manifest(self._repository.read(file.oid), file)
            rayjob = status.applied(manifest, str(uuid.uuid4()), now)
            need = local_job(manifest).need
        except InputError as error:
            bare = status.applied(_bare(file), str(uuid.uuid4()), now)
            rayjob = status.invalid(bare, now, f"{file.path}: {error}")
        self._cluster.put(
            Record(
                job_id=file.job_id,
                sequence=before.sequence if before else sequence,
                path=file.path,
                oid=file.oid,
                rayjob=rayjob,
                need=need,
            )
        )

    def _follow(self) -> None:
        for record in self._cluster.records():
            if record.deleted:
                self._runner.withdraw(record)
            elif record.holding:
                self._runner.follow(record)

    def _admit(self) -> None:
        waiting = {
            record.job_id: record
            for record in self._cluster.records()
            if record.deployment == "Suspended" and not record.deleted
        }
        if not waiting:
            return
        admission = admit(map(_waiting, waiting.values()), self._cluster.capacity())
        for job_id, message in admission.messages.items():
            record = waiting[job_id]
            self._cluster.put(replace(record, rayjob=status.note(record.rayjob, message)))
        for job_id in admission.start:
            self._runner.begin(waiting[job_id])

    def _ray_is_silent(self, error: MlPlatformError) -> None:
        """Say so on every job that it concerns; silence is no failure of theirs."""
        log.warning("%s; the next try follows in %g s", error, RAY_PAUSE_SECONDS)
        self._ray_silent_until = time.monotonic() + RAY_PAUSE_SECONDS
        for record in self._cluster.records():
            if not record.ended:
                rayjob = status.note(record.rayjob, error.message)
                self._cluster.put(replace(record, rayjob=rayjob))


def _settled(record: Record) -> bool:
    """Whether nothing about it is about to change by itself."""
    moving = record.deployment in ("Initializing", "Retrying") or record.stopping is not None
    return record.ended or not (moving or record.deleted)


def _mended(record: Record, file: ActiveFile) -> bool:
    """A job that started is never changed by an edit; one that could not be read may be mended."""
    return record.deployment == "ValidationFailed" and record.oid != file.oid


def _manifest(content: bytes, file: ActiveFile) -> dict[str, Any]:
    """The RayJob in a file; raises InputError."""
    try:
        manifest = from_yaml(content)
        json.dumps(manifest, allow_nan=False)
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"cannot be read: {error}") from error
    job = local_job(manifest)
    labelled = manifest["metadata"]["labels"].get(JOB_ID)
    if (job.job_id, job.team, labelled) != (file.job_id, file.team, file.job_id):
        raise InputError(f"names another job or team: {job.job_id} of {job.team}")
    return dict(manifest)


def _bare(file: ActiveFile) -> dict[str, Any]:
    """What can be said of a job whose manifest cannot be read."""
    labels = {JOB_ID: file.job_id, TEAM: file.team}
    metadata = {"name": file.job_id, "namespace": file.team, "labels": labels}
    return {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": metadata, "spec": {}}


def _waiting(record: Record) -> Waiting:
    return Waiting(record.job_id, local_job(record.rayjob).rank, record.sequence, record.need)
