"""`/v1/events`: state changes of all jobs the caller sees, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse

from ml_platform.errors import NotFoundError
from ml_platform.service import models
from ml_platform.service.auth import Principal
from ml_platform.service.caller import platform_of, principal_of
from ml_platform.service.platform import Platform

router = APIRouter(prefix="/v1")
KEEPALIVE_SECONDS = 15.0
PAUSE_SECONDS = 0.1


@router.get("/events", summary="State changes as server-sent events; resumes at Last-Event-ID")
async def stream_events(
    caller: Annotated[Principal, Depends(principal_of)],
    platform: Annotated[Platform, Depends(platform_of)],
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Each event's id is `<journal>:<number>`; one of another journal begins with now."""
    epoch, _, number = (last_event_id or "").partition(":")
    known = epoch == await asyncio.to_thread(platform.journal.epoch) and _is_number(number)
    start = int(number) if known else await asyncio.to_thread(platform.journal.last_event)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(platform, caller, start), media_type="text/event-stream", headers=headers
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


async def _events(platform: Platform, caller: Principal, last: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    with platform.notices.listen() as changed:
        while not platform.notices.closed:
            changed.clear()
            # A long gap comes in several parts; all of them before the next wait.
            while found := await asyncio.to_thread(platform.journal.events, last):
                epoch = await asyncio.to_thread(platform.journal.epoch)
                for seq, job_id in found:
                    last = seq
                    event = await asyncio.to_thread(_event, platform, caller, seq, job_id)
                    if event is not None:
                        data = event.model_dump_json()
                        yield f"id: {epoch}:{seq}\nevent: job\ndata: {data}\n\n"
            # Many changes in one moment are one event per job, not a storm.
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await asyncio.wait_for(changed.wait(), KEEPALIVE_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"


def _event(platform: Platform, caller: Principal, seq: int, job_id: str) -> models.Event | None:
    try:
        row = platform.journal.get(job_id)
    except NotFoundError:  # the journal was rebuilt meanwhile and the job is gone from Git
        return None
    if row.team not in platform.teams_of(caller):
        return None
    return models.Event(seq=seq, job=platform.views.summary(row))
