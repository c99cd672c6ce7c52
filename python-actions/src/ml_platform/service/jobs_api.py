"""`/v1/jobs`: list, get, manifest, logs, metrics, results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse

from ml_platform.errors import InputError, NotAllowedError
from ml_platform.job import Phase
from ml_platform.service import models
from ml_platform.service.auth import Principal
from ml_platform.service.caller import platform_of, user_of
from ml_platform.service.platform import Platform

router = APIRouter(prefix="/v1/jobs")
User = Annotated[Principal, Depends(user_of)]
Parts = Annotated[Platform, Depends(platform_of)]
FOLLOW_SECONDS = 0.3
LAST_WORDS = timedelta(seconds=60)  # more than any grace period: a lost launcher records no end
BLOCK = 64 * 1024


@router.get("", summary="Jobs of the caller's teams, newest first")
def list_jobs(  # noqa: PLR0913, PLR0917  # one argument per query parameter is FastAPI's way
    user: User,
    platform: Parts,
    team: str | None = None,
    phase: Phase | None = None,
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
            f"you are no member of {team[:60]}", field="team", hint=", ".join(sorted(teams))
        )
    where = {
        "team": team,
        "phase": phase.value if phase else None,
        "workload": workload,
        "owner": user.user if owner == "me" else owner,
        "pool": pool,
    }
    rows, total = platform.journal.select(tuple(sorted(teams)), where, q, limit, _before(cursor))
    last = str(rows[-1].position) if len(rows) == limit else None
    return models.JobPage(
        items=[platform.views.summary(row) for row in rows], total=total, next_cursor=last
    )


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


@router.get("/{job_id}/logs", summary="The log; with follow, until the job has ended")
async def get_logs(
    job_id: str,
    user: User,
    platform: Parts,
    attempt: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    tail: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    follow: bool = False,
) -> StreamingResponse:
    await asyncio.to_thread(platform.visible, job_id, user)
    lines = _log(platform, job_id, attempt, tail, follow)
    return StreamingResponse(lines, media_type="text/plain; charset=utf-8")


async def _log(
    platform: Platform, job_id: str, attempt: int | None, tail: int | None, follow: bool
) -> AsyncIterator[bytes]:
    run = platform.views.run_directory(platform.journal.get(job_id))
    at: dict[Path, int] = {}
    if tail is not None:
        files = await asyncio.to_thread(run.log_files, attempt)
        at = dict(await asyncio.to_thread(_tail, files, tail))
    while True:
        row = await asyncio.to_thread(platform.journal.get, job_id)
        over = row.phase.final or (attempt is not None and attempt < row.attempt)
        # A cancelled job is final with its commit, and still has its last words to say.
        if over and follow and row.phase is Phase.CANCELLED and _just_now(row.since):
            over = not await asyncio.to_thread(run.has_open_attempt)
        for file in await asyncio.to_thread(run.log_files, attempt):
            while block := await asyncio.to_thread(_block, file, at.get(file, 0)):
                at[file] = at.get(file, 0) + len(block)
                yield block
        if over or not follow or platform.notices.closed:
            return
        await asyncio.sleep(FOLLOW_SECONDS)


def _just_now(moment: datetime) -> bool:
    return datetime.now(UTC) - moment < LAST_WORDS


def _block(file: Path, offset: int) -> bytes:
    with file.open("rb") as handle:
        handle.seek(offset)
        return handle.read(BLOCK)


def _tail(files: list[Path], lines: int) -> list[tuple[Path, int]]:
    """Where to start in each file so that the last `lines` lines of all remain."""
    starts: list[tuple[Path, int]] = []
    missing = lines
    for file in reversed(files):
        start, missing = _last_lines(file, missing)
        starts.append((file, start))
    return starts


def _last_lines(file: Path, lines: int) -> tuple[int, int]:
    """Offset at which the last `lines` lines begin, and how many lines are still missing."""
    end = position = file.stat().st_size
    if lines <= 0:
        return end, 0
    found = 0
    with file.open("rb") as handle:
        while position > 0:
            size = min(BLOCK, position)
            position -= size
            handle.seek(position)
            block = handle.read(size)
            for index in range(size - 1, -1, -1):
                if block[index] == 0x0A and position + index != end - 1:
                    found += 1
                    if found == lines:
                        return position + index + 1, 0
    return 0, lines - found - (1 if end else 0)
