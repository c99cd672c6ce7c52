"""What the committer is asked for, what it answers, and what it has to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ml_platform.errors import ConflictError
from ml_platform.repository.git import Author, CommitInfo, GitopsRepository
from ml_platform.state import Outcome


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
    """A manifest to be added. `shards`: how many folders its team has."""

    job_id: str
    team: str
    shards: int
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
