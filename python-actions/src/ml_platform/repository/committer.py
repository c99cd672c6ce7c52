"""One committer: drains its queue into one move of `main` per turn, one commit per job."""

from __future__ import annotations

import logging
import queue
import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import yaml
from prometheus_client import Counter, Histogram

from ml_platform.errors import (
    ConflictError,
    InputError,
    MlPlatformError,
    NotFoundError,
    ServiceUnavailableError,
)
from ml_platform.job import Phase
from ml_platform.render import OUTCOME
from ml_platform.repository import layout
from ml_platform.repository.git import Author, CommitInfo, Edit, GitopsRepository
from ml_platform.state import Outcome
from ml_platform.yaml_document import from_yaml, to_yaml

log = logging.getLogger(__name__)
MAX_BATCH = 256
MAX_TRIES = 30
MAX_QUEUE = 20_000

commits_total = Counter("ml_platform_commits_total", "Commits pushed", ["kind"])
push_conflicts = Counter("ml_platform_push_conflicts_total", "Pushes lost to another writer")
turn_seconds = Histogram("ml_platform_commit_turn_seconds", "Time of one committer turn")


@dataclass(frozen=True)
class Known:
    """What the journal knows of a job: enough to decide without reading Git."""

    job_id: str
    team: str
    path: str
    active: bool
    request_hash: str
    submitted_at: datetime
    commit: str
    outcome: Outcome | None = None

    def for_request(self, request_hash: str) -> Known:
        """This job, if its key came with the same request; raises ConflictError."""
        if request_hash != self.request_hash:
            raise ConflictError(
                f"this idempotency key already made {self.job_id} from another request",
                hint="use a new key for a new request",
            )
        return self


@dataclass(frozen=True)
class Written:
    """Commits on top of `parent` as they were made, so that nobody has to read them from Git.

    Each with the manifests that it added, by path, as data.
    """

    parent: str
    commits: list[tuple[CommitInfo, dict[str, Any]]]


class Journal(Protocol):
    """The projection of the repository that the committer decides on."""

    def sync(
        self, repository: GitopsRepository, head: str, written: Written | None = None
    ) -> None: ...

    def by_key(self, key_hash: str) -> Known | None: ...

    def by_id(self, job_id: str) -> Known | None: ...


@dataclass(frozen=True)
class Submission:
    """A manifest to be added."""

    job_id: str
    team: str
    path: str
    content: bytes
    key_hash: str
    request_hash: str
    author: Author
    manifest: dict[str, Any] | None = None  # what `content` says, when the caller has it at hand


@dataclass(frozen=True)
class Ending:
    """A job to be moved to the archive."""

    job_id: str
    outcome: Outcome
    author: Author


@dataclass(frozen=True)
class Receipt:
    """What a commit did: `existed` when an earlier commit had done it already."""

    job_id: str
    commit: str
    path: str
    existed: bool = False
    outcome: Outcome | None = None


@dataclass
class _Order:
    change: Submission | Ending
    future: Future[Receipt]


class Committer:
    """The only writer of jobs. `submit` and `archive` return at once; the future has the commit."""

    def __init__(
        self,
        repository: GitopsRepository,
        journal: Journal,
        on_push: Callable[[], None] = lambda: None,
    ) -> None:
        self._repository = repository
        self._journal = journal
        self._on_push = on_push
        self._queue: queue.Queue[_Order | None] = queue.Queue(MAX_QUEUE)
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._stopped = False
        self._gate = threading.Lock()  # nothing may be queued behind the end, where nobody looks

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end."""
        with self._gate:
            self._stopped = True
            self._queue.put(None)
        self._thread.join(timeout=30)

    def submit(self, submission: Submission) -> Future[Receipt]:
        return self._enqueue(submission)

    def archive(self, job_id: str, outcome: Outcome, author: Author) -> Future[Receipt]:
        """Move a job to the archive. A job that has ended already resolves to that commit."""
        return self._enqueue(Ending(job_id, outcome, author))

    def _enqueue(self, change: Submission | Ending) -> Future[Receipt]:
        future: Future[Receipt] = Future()
        try:
            with self._gate:
                if self._stopped:
                    raise queue.Full
                self._queue.put_nowait(_Order(change, future))
        except queue.Full:
            future.set_exception(
                ServiceUnavailableError("the committer is stopping or full", hint="try again")
            )
        return future

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            orders = [first]
            last = False
            while len(orders) < MAX_BATCH:
                try:
                    order = self._queue.get_nowait()
                except queue.Empty:
                    break
                if order is None:
                    last = True
                    break
                orders.append(order)
            self._settle(orders)
            if last:
                return

    def _settle(self, orders: list[_Order]) -> None:
        """Answer every order, whatever happens: a waiting caller must never hang."""
        try:
            with turn_seconds.time():
                answers = self._turn(orders)
        except ServiceUnavailableError as error:
            answers = [error] * len(orders)
        except Exception as error:  # the disk is full or read-only: each caller is told so
            log.exception("a turn of the committer failed")
            reason = ServiceUnavailableError(
                f"the GitOps repository could not be written: {error}", hint="try again"
            )
            answers = [reason] * len(orders)
        for order, answer in zip(orders, answers, strict=True):
            if isinstance(answer, MlPlatformError):
                order.future.set_exception(answer)
            else:
                order.future.set_result(answer)
        self._on_push()

    def _turn(self, orders: list[_Order]) -> list[Receipt | MlPlatformError]:
        for attempt in range(MAX_TRIES):
            head = self._repository.head()
            self._journal.sync(self._repository, head)
            batch = _Batch(self._repository, self._journal, head)
            answers = [batch.decide(order.change) for order in orders]
            if batch.tip == head:
                return answers
            if self._repository.swap(head, batch.tip):
                self._journal.sync(self._repository, batch.tip, batch.written)
                for kind, number in batch.counts.items():
                    commits_total.labels(kind).inc(number)
                return answers
            push_conflicts.inc()
            pause = random.uniform(0, min(0.5, 0.005 * 2**attempt))  # noqa: S311  # no secret
            log.info("another writer moved main; reading again in %.3f s", pause)
            time.sleep(pause)
        raise ServiceUnavailableError(
            f"main was moved or held by others {MAX_TRIES} times in a row",
            hint="when nobody else writes the repository, remove its refs/heads/main.lock",
        )


class _Batch:
    """One turn's commits on top of `head`; each is decided in view of the earlier ones."""

    def __init__(self, repository: GitopsRepository, journal: Journal, head: str) -> None:
        self._repository = repository
        self._journal = journal
        self.tip = head
        self.written = Written(head, [])
        self.counts: dict[str, int] = {"submit": 0, "archive": 0}
        self._by_key: dict[str, Known] = {}
        self._by_id: dict[str, Known] = {}
        self._content: dict[str, bytes] = {}

    def decide(self, change: Submission | Ending) -> Receipt | MlPlatformError:
        try:
            return self._submit(change) if isinstance(change, Submission) else self._end(change)
        except MlPlatformError as error:
            return error

    def _submit(self, order: Submission) -> Receipt:
        earlier = self._by_key.get(order.key_hash) or self._journal.by_key(order.key_hash)
        if earlier is not None:
            known = earlier.for_request(order.request_hash)
            return Receipt(known.job_id, known.commit, known.path, existed=True)
        if self._by_id.get(order.job_id) or self._journal.by_id(order.job_id):
            raise ConflictError(
                f"{order.job_id} is taken by another job", hint="use another name or key"
            )
        manifests = {} if order.manifest is None else {order.path: order.manifest}
        edit = Edit({order.path: order.content}, f"Add {order.job_id}\n", order.author)
        self._commit(edit, manifests, "submit")
        self._content[order.job_id] = order.content
        known = Known(
            job_id=order.job_id,
            team=order.team,
            path=order.path,
            active=True,
            request_hash=order.request_hash,
            submitted_at=datetime.now(UTC),
            commit=self.tip,
        )
        self._by_key[order.key_hash] = self._by_id[order.job_id] = known
        return Receipt(order.job_id, self.tip, order.path)

    def _end(self, order: Ending) -> Receipt:
        known = self._by_id.get(order.job_id) or self._journal.by_id(order.job_id)
        if known is None:
            raise NotFoundError(f"there is no job {order.job_id}")
        if not known.active:
            return Receipt(
                known.job_id, known.commit, known.path, existed=True, outcome=known.outcome
            )
        content = self._content.get(order.job_id) or self._repository.read_path(
            self.tip, known.path
        )
        target = layout.archive_path(known.team, known.job_id, known.submitted_at)
        manifest = with_outcome(content, order.outcome)
        files = {known.path: None, target: to_yaml(manifest).encode()}
        verb = {Phase.CANCELLED: "Cancel", Phase.FAILED: "Archive failed"}.get(
            order.outcome.phase, "Archive"
        )
        edit = Edit(files, f"{verb} {known.job_id}\n", order.author)
        self._commit(edit, {target: manifest}, "archive")
        self._by_id[order.job_id] = replace(
            known, path=target, active=False, commit=self.tip, outcome=order.outcome
        )
        return Receipt(known.job_id, self.tip, target, outcome=order.outcome)

    def _commit(self, edit: Edit, manifests: dict[str, Any], kind: str) -> None:
        commit = self._repository.write_commit(self.tip, edit)
        self.written.commits.append((commit, manifests))
        self.tip = commit.sha
        self.counts[kind] += 1


def with_outcome(content: bytes, outcome: Outcome) -> dict[str, Any]:
    """The manifest with its outcome as an annotation; raises InputError when one of them cannot be
    read or written, so that the other orders of the turn go on."""
    try:
        told = outcome.model_dump_json(exclude_none=True)
    except ValueError as error:
        raise InputError(f"its outcome cannot be written: {error}", field="outcome") from error
    try:
        manifest = from_yaml(content)
        annotations = manifest["metadata"].setdefault("annotations", {})
        annotations[OUTCOME] = told
        to_yaml(manifest)
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"its manifest cannot be read: {error}", hint="mend or remove the file in Git"
        ) from error
    assert isinstance(manifest, dict)
    return manifest


_UNSAFE = re.compile(r"[^\w .,'()&+/:-]|[\x00-\x1f\x7f]")


def author_of(owner: str) -> Author:
    """The author of a user's commits from the catalog reference `user:default/ada`."""
    name = _UNSAFE.sub("", owner.rpartition("/")[2]).strip(" .,:'") or "unknown"
    namespace = _UNSAFE.sub("", owner.partition(":")[2].partition("/")[0]) or "default"
    local = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:64].strip(".-") or "unknown"
    domain = re.sub(r"[^a-z0-9-]", "-", namespace.lower())[:40].strip("-") or "default"
    return Author(name[:80], f"{local}@{domain}.users.invalid")
