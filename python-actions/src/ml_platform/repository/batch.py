"""Decides the orders of one turn and writes their commits, which nobody sees until `main` moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import yaml

from ml_platform.errors import ConflictError, InputError, MlPlatformError, NotFoundError
from ml_platform.job import Phase
from ml_platform.render import OUTCOME
from ml_platform.repository import layout
from ml_platform.repository.bursts import Bursts
from ml_platform.repository.git import Edit, GitopsRepository
from ml_platform.repository.orders import Ending, Journal, Known, Receipt, Submission, Written
from ml_platform.state import Outcome
from ml_platform.yaml_document import from_yaml, to_yaml


class Batch:
    """One turn's commits on top of `head`; each is decided in view of the earlier ones."""

    def __init__(
        self, repository: GitopsRepository, journal: Journal, head: str, bursts: Bursts
    ) -> None:
        self._repository = repository
        self._journal = journal
        self._bursts = bursts
        self.tip = head
        self.written = Written(head, [])
        self.done: list[
            str
        ] = []  # for the log: Add, Cancel or Archive, which job, who, which commit
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
        path = layout.job_file(order.team, self._shard(order), order.job_id)
        manifests = {} if order.manifest is None else {path: order.manifest}
        edit = Edit({path: order.content}, f"Add {order.job_id}\n", order.author)
        self._commit(edit, manifests, "submit")
        self._content[order.job_id] = order.content
        known = Known(
            job_id=order.job_id,
            team=order.team,
            path=path,
            active=True,
            request_hash=order.request_hash,
            submitted_at=datetime.now(UTC),
            commit=self.tip,
        )
        self._by_key[order.key_hash] = self._by_id[order.job_id] = known
        return Receipt(order.job_id, self.tip, path)

    def _shard(self, order: Submission) -> str:
        folder = layout.jobs_folder(order.team)
        sizes = partial(self._repository.folders, self.tip, folder)
        return self._bursts.shard(order.team, order.job_id, order.shards, sizes)

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
        self.done.append(f"{edit.message.strip()} for {edit.author.name}, commit {commit.sha[:10]}")
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
