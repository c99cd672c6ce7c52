"""`/v1/actions`: the actions protocol. docs/reference/actions-protocol.md is its specification."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_platform.actions import Action, catalogue, find_action
from ml_platform.actions.context import ActionContext
from ml_platform.errors import InputError, MlPlatformError
from ml_platform.input_sentence import input_error
from ml_platform.service.auth import Principal, require_user
from ml_platform.service.caller import platform_of, principal_of
from ml_platform.service.platform import Platform

log = logging.getLogger(__name__)
router = APIRouter()
HEARTBEAT_SECONDS = 10.0
KEY_PATTERN = r"^[\x21-\x7e]{1,200}$"

runs_total = Counter("ml_platform_action_runs_total", "Runs of actions", ["action", "result"])
run_seconds = Histogram("ml_platform_action_run_seconds", "Time of runs of actions", ["action"])


class RunBody(BaseModel):
    """Body of a run. The same key gives the same effect, once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: dict[str, Any]
    dryRun: Annotated[bool, Field(strict=True)] = False
    idempotencyKey: Annotated[str | None, Field(pattern=KEY_PATTERN)] = None
    secrets: dict[str, str] = {}


@router.get("/v1/actions", summary="The actions, with their schemas")
async def list_actions(_: Annotated[Principal, Depends(principal_of)]) -> dict[str, Any]:
    return catalogue()


@router.post("/v1/actions/{action_id}/run", summary="Run an action; answers with NDJSON")
async def run_action(
    action_id: str,
    body: RunBody,
    request: Request,
    principal: Annotated[Principal, Depends(principal_of)],
    platform: Annotated[Platform, Depends(platform_of)],
) -> StreamingResponse:
    action = find_action(action_id)
    require_user(principal)
    if body.idempotencyKey is None and not action.read_only and not body.dryRun:
        raise InputError("is missing", field="idempotencyKey", hint="send a new UUID per request")
    try:
        parsed = action.input.model_validate(body.input)
    except ValidationError as error:
        raise input_error(error) from error
    if body.dryRun and not action.supports_dry_run:
        raise InputError(f"{action.id} has no dry run", field="dryRun")
    run = _Run(action, parsed, body, principal, platform)
    return StreamingResponse(run.lines(), media_type="application/x-ndjson")


class _Run:
    """One run: the action in a thread, its words as lines."""

    def __init__(
        self,
        action: Action,
        parsed: BaseModel,
        body: RunBody,
        principal: Principal,
        platform: Platform,
    ) -> None:
        self._action = action
        self._input = parsed
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._cancelled = threading.Event()
        self._context = ActionContext(
            platform=platform,
            principal=principal,
            idempotency_key=body.idempotencyKey or str(uuid.uuid4()),
            dry_run=body.dryRun,
            log=self._log,
            cancelled=self._cancelled,
        )

    async def lines(self) -> AsyncIterator[str]:
        """Logs as they come, a heartbeat when it is quiet, then exactly one output or error."""
        task = asyncio.create_task(self._work())
        try:
            while True:
                try:
                    line = await asyncio.wait_for(self._queue.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    line = {"type": "heartbeat"}
                lines = [line]
                while not self._queue.empty():  # what is there already goes out together
                    lines.append(self._queue.get_nowait())
                yield "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
                if lines[-1]["type"] in ("output", "error"):
                    return
        finally:
            self._cancelled.set()
            await asyncio.shield(task)

    async def _work(self) -> None:
        with run_seconds.labels(self._action.id).time():
            line = await anyio.to_thread.run_sync(self._call, limiter=_limiter())
        runs_total.labels(self._action.id, line["type"]).inc()
        self._queue.put_nowait(line)

    def _call(self) -> dict[str, Any]:
        try:
            output = self._action.run(self._input, self._context)
            return {"type": "output", "output": output.model_dump(mode="json")}
        except MlPlatformError as error:
            return {"type": "error", "error": error.as_dict()}
        except ValidationError as error:
            return {"type": "error", "error": input_error(error).as_dict()}
        except Exception as error:
            log.exception("%s failed", self._action.id)
            text = f"{self._action.id} failed inside the service: {type(error).__name__}"
            failure = MlPlatformError(text, hint="the service's log has the details")
            return {"type": "error", "error": failure.as_dict()}

    def _log(self, message: str, level: str) -> None:
        line = {"type": "log", "level": level, "message": message}
        self._loop.call_soon_threadsafe(self._queue.put_nowait, line)


_LIMITER: anyio.CapacityLimiter | None = None


def _limiter() -> anyio.CapacityLimiter:
    """Runs wait for commits, not for the CPU: more of them than the default 40 may be under way."""
    global _LIMITER  # noqa: PLW0603  # a limiter can only be made inside the running loop
    if _LIMITER is None:
        _LIMITER = anyio.CapacityLimiter(256)
    return _LIMITER
