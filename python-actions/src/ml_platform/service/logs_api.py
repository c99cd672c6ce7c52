"""`/v1/jobs/<id>/logs`: what the program wrote, or what a pod of the job says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from ml_platform.cluster.interface import LogStream
from ml_platform.cluster.pod_logs import OF_JOB
from ml_platform.errors import ClusterError, NotFoundError
from ml_platform.job import Phase
from ml_platform.journal_row import Row
from ml_platform.rundir import RunDirectory
from ml_platform.service import models
from ml_platform.service.auth import Principal
from ml_platform.service.caller import platform_of, user_of
from ml_platform.service.log_tail import read_block, tail_of
from ml_platform.service.platform import Platform
from ml_platform.service.pod_log_reader import blocks_of

router = APIRouter(prefix="/v1/jobs")
FOLLOW_SECONDS = 0.3
LAST_WORDS = timedelta(seconds=60)  # more than any grace period: a lost launcher records no end
# The pod that repeats the program's output, for runs that write where the service sees nothing.
STAND_IN = "submitter"


@dataclass(frozen=True)
class _Wish:
    job_id: str
    attempt: int | None
    tail: int | None
    follow: bool


@router.get("/{job_id}/logs", summary="The log; with follow, until the job has ended")
async def get_logs(  # one argument per query parameter is FastAPI's way
    job_id: str,
    user: Annotated[Principal, Depends(user_of)],
    platform: Annotated[Platform, Depends(platform_of)],
    attempt: Annotated[
        int | None, Query(ge=0, le=10_000, description="Number of one attempt, from 0.")
    ] = None,
    tail: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    follow: bool = False,
    source: Annotated[
        str,
        Query(
            max_length=40,
            description="`job`: what the program wrote in all attempts. On a cluster also a pod of "
            "the newest attempt: `submitter`, `head` or `worker-<number>`.",
        ),
    ] = OF_JOB,
) -> StreamingResponse:
    row = await asyncio.to_thread(platform.visible, job_id, user)
    wish = _Wish(job_id, attempt, tail, follow)
    await asyncio.to_thread(_check_attempt, platform, row, attempt)
    headers = {}
    if source == OF_JOB:
        start = await asyncio.to_thread(_start, platform, wish)
        text = _log(platform, wish, start)
        if tail is not None and (start or platform.settings.local):
            headers[models.LOG_START] = str(sum(start.values()))
    else:
        stream = await asyncio.to_thread(_pod_log, platform, row, source, wish)
        text = blocks_of(stream)
    return StreamingResponse(text, headers=headers, media_type="text/plain; charset=utf-8")


def _check_attempt(platform: Platform, row: Row, attempt: int | None) -> None:
    if attempt is None or attempt <= row.attempt:
        return
    run = platform.views.run_directory(row)
    newest = max([row.attempt, *run.attempts()])
    if attempt > newest and not run.log_files(attempt):
        raise NotFoundError(
            f"there is no attempt {attempt + 1} of {row.job_id}; {newest + 1} is the newest"
        )


def _start(platform: Platform, wish: _Wish) -> dict[Path, int]:
    """Where to begin in each file, for the last lines only."""
    if wish.tail is None:
        return {}
    run = platform.views.run_directory(platform.journal.get(wish.job_id))
    return dict(tail_of(_files(platform, run, wish), wish.tail))


def _pod_log(platform: Platform, row: Row, source: str, wish: _Wish) -> LogStream:
    """A pod's log, open; raises in a sentence where there is none."""
    if platform.cluster is None:
        raise NotFoundError("this service runs no jobs", hint="use the source `job`")
    if wish.attempt is not None and wish.attempt != row.attempt:
        raise NotFoundError(
            f"the pods of attempt {wish.attempt + 1} are gone; {row.attempt + 1} is the newest",
            hint="the source `job` has what all attempts wrote",
        )
    return platform.cluster.pod_log(
        row.team, row.job_id, source, tail=wish.tail, follow=wish.follow
    )


async def _log(platform: Platform, wish: _Wish, start: dict[Path, int]) -> AsyncIterator[bytes]:
    run = platform.views.run_directory(platform.journal.get(wish.job_id))
    at = dict(start)
    while True:
        row = await asyncio.to_thread(platform.journal.get, wish.job_id)
        over = row.phase.final or (wish.attempt is not None and wish.attempt < row.attempt)
        # A cancelled job is final with its commit, and still has its last words to say.
        if over and wish.follow and row.phase is Phase.CANCELLED and _just_now(row.since):
            over = not await asyncio.to_thread(run.has_open_attempt)
        files = await asyncio.to_thread(_files, platform, run, wish)
        if not files and (stream := await asyncio.to_thread(_stand_in, platform, row, run, wish)):
            async for block in blocks_of(stream):
                yield block
            return
        for file in files:
            while block := await asyncio.to_thread(read_block, file, at.get(file, 0)):
                at[file] = at.get(file, 0) + len(block)
                yield block
        if over or not wish.follow or platform.notices.closed:
            return
        await asyncio.sleep(FOLLOW_SECONDS)


def _files(platform: Platform, run: RunDirectory, wish: _Wish) -> list[Path]:
    """The log's files. An attempt that was ended before its program began has no number in the run
    directory, so that the newest there may have a lower one than the job's newest."""
    attempt = wish.attempt
    if attempt is not None:
        row, claimed = platform.journal.get(wish.job_id), run.attempts()
        has_begun = row.phase is Phase.RUNNING or row.phase.final
        if attempt == row.attempt and has_begun and claimed and attempt > claimed[-1]:
            attempt = claimed[-1]
    return run.log_files(attempt)


def _stand_in(platform: Platform, row: Row, run: RunDirectory, wish: _Wish) -> LogStream | None:
    """A pod's log in place of a run directory that is out of the service's sight."""
    begun = row.phase in (Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED)
    if row.observed.cluster is None or not begun or run.attempts():
        return None
    with suppress(NotFoundError, ClusterError):
        return _pod_log(platform, row, STAND_IN, wish)
    return None


def _just_now(moment: datetime) -> bool:
    return datetime.now(UTC) - moment < LAST_WORDS
