"""`/v1/jobs`: list, get, manifest, metrics, results."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, PlainTextResponse

from ml_platform.errors import InputError, NotAllowedError
from ml_platform.job import Phase
from ml_platform.journal_search import Value
from ml_platform.service import models
from ml_platform.service.auth import Principal
from ml_platform.service.caller import platform_of, user_of
from ml_platform.service.platform import Platform

router = APIRouter(prefix="/v1/jobs")
User = Annotated[Principal, Depends(user_of)]
Parts = Annotated[Platform, Depends(platform_of)]


@router.get("", summary="Jobs of the caller's teams, newest first")
def list_jobs(  # noqa: PLR0913, PLR0917  # one argument per query parameter is FastAPI's way
    user: User,
    platform: Parts,
    team: str | None = None,
    phase: Phase | None = None,
    ended: Annotated[
        bool | None, Query(description="Only jobs that have ended, or only the others.")
    ] = None,
    workload: str | None = None,
    owner: str | None = None,
    pool: str | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: str | None = None,
) -> models.JobPage:
    teams = platform.teams_of(user)
    if team is not None and team not in teams:
        raise NotAllowedError(
            f"you are no member of {team[:60]}",
            field="team",
            hint=f"your teams: {', '.join(sorted(teams)) or 'none'}",
        )
    where: dict[str, Value] = {
        "team": team,
        "phase": _phases(phase, ended),
        "workload": workload,
        "owner": _owner(owner, user),
        "pool": pool,
    }
    rows, total = platform.journal.select(tuple(sorted(teams)), where, q, limit, _before(cursor))
    last = str(rows[-1].position) if len(rows) == limit else None
    return models.JobPage(
        items=[platform.views.summary(row) for row in rows], total=total, next_cursor=last
    )


def _owner(owner: str | None, user: Principal) -> str | None:
    """`me`, a whole reference, or the name of a user alone."""
    if owner == "me":
        return user.user
    return f"user:default/{owner}" if owner and ":" not in owner else owner


def _phases(phase: Phase | None, ended: bool | None) -> tuple[str, ...] | None:
    if phase is None and ended is None:
        return None
    return tuple(p.value for p in Phase if phase in (None, p) and ended in (None, p.final))


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InputError("is not a cursor of this list", field="cursor")
    return int(cursor)


@router.get("/{job_id}", summary="Everything the job's page shows")
def get_job(job_id: str, user: User, platform: Parts) -> models.Job:
    return platform.views.job(platform.visible(job_id, user))


@router.get("/{job_id}/manifest", summary="The manifest as it was committed")
def get_manifest(job_id: str, user: User, platform: Parts) -> PlainTextResponse:
    row = platform.visible(job_id, user)
    content = platform.repository.read_path(row.manifest_commit, row.path)
    return PlainTextResponse(content, media_type="application/yaml")


@router.get("/{job_id}/metrics", summary="Rows the training code has written")
def get_metrics(job_id: str, user: User, platform: Parts, after: str = "") -> models.Metrics:
    return platform.views.metrics(platform.visible(job_id, user), after)


@router.get("/{job_id}/results", summary="Summary and files the training code has written")
def get_results(job_id: str, user: User, platform: Parts) -> models.Results:
    return platform.views.results(platform.visible(job_id, user))


@router.get("/{job_id}/results/{path:path}", summary="One result file")
def get_result(job_id: str, path: str, user: User, platform: Parts) -> FileResponse:
    row = platform.visible(job_id, user)
    # A result is a stranger's file: never a page of this origin, never guessed to be one.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return FileResponse(platform.views.run_directory(row).result(path), headers=headers)
