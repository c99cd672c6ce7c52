"""From a commit's manifest to a job's line in the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import yaml

from ml_platform import render
from ml_platform.job import JobSpec, Phase
from ml_platform.journal_row import NOTHING, Row, commit_entry, note_hop
from ml_platform.repository.git import CommitInfo
from ml_platform.repository.layout import Place
from ml_platform.state import Outcome
from ml_platform.yaml_document import from_yaml


def read_manifest(content: bytes) -> Any:
    """The data of a committed file; raises ValueError."""
    try:
        return from_yaml(content)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML as it is used here: {error}") from error


def row_from_manifest(place: Place, path: str, manifest: Any, commit: CommitInfo) -> Row:
    """The row that a manifest alone gives; raises ValueError when it is none of ours."""
    try:
        metadata = manifest["metadata"]
        annotations = metadata["annotations"]
        spec = JobSpec.model_validate_json(annotations[render.SPEC])
        outcome = annotations.get(render.OUTCOME)
        ended = Outcome.model_validate_json(outcome) if outcome else None
        names = (metadata["name"], metadata["namespace"])
        owner, key = annotations[render.OWNER], annotations[render.KEY]
        request = annotations[render.REQUEST]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a manifest of this platform: {error}") from error
    if names != (place.job_id, place.team):
        raise ValueError("name and namespace differ from the path")
    if not place.active and ended is None:
        ended = Outcome(phase=Phase.CANCELLED, cause="Archived without an outcome.")
    return Row(
        job_id=place.job_id,
        team=place.team,
        owner=str(owner),
        key_hash=str(key),
        request_hash=str(request),
        path=path,
        active=place.active,
        spec=spec.model_dump(mode="json"),
        commits=[commit_entry(commit)],
        hops={},
        outcome=ended,
    )


def merged(row: Row, before: Row | None) -> Row:
    """A new commit's row on top of what was known of the job."""
    hops = dict(before.hops) if before else {}
    at = row.commits[0]["at"]
    if row.active:
        hops.setdefault("submitted", at)
        for name in ("archived", "ended"):  # somebody has taken its end back
            hops.pop(name, None)
    else:
        hops.setdefault("archived", at)
        if row.outcome is not None:
            note_hop(hops, "applied", _iso(row.outcome.applied_at))
            note_hop(hops, "admitted", _iso(row.outcome.admitted_at))
            note_hop(hops, "running", _iso(row.outcome.started_at))
            note_hop(hops, "ended", _iso(row.outcome.ended_at) or at)
    return replace(
        row,
        hops=hops,
        commits=[*(before.commits if before else []), *row.commits],
        observed=before.observed if before else NOTHING,
        headline=before.headline if before else None,
    )


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
