"""Calls that meet the end of this replica: told to come again, never that something failed.

A client may have sent a request on an open connection just as the replica stops. The server then
cancels the call, or the parts that it needs are already closed; either would be answered as a fault
of the service, which clients rightly take for final.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from ml_platform.errors import ServiceUnavailableError
from ml_platform.service.asgi import Asgi, Receive, Scope, Send
from ml_platform.service.error_answer import error_answer

log = logging.getLogger(__name__)

_ENDING = ServiceUnavailableError(
    "this replica of the service is being stopped", hint="try again in some seconds"
)


class Ending:
    """Outermost, so that it sees whatever ends a call. `over` says whether the parts are closed."""

    def __init__(self, app: Asgi, over: asyncio.Event) -> None:
        self._app = app
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noticed(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        if not self._over.is_set():
            try:
                await self._app(scope, receive, noticed)
                return
            except asyncio.CancelledError:  # only the server's end cancels a call
                if begun:
                    return  # the server closes the connection, so that the answer breaks off
            except Exception as error:  # whatever parts raise that are closed already
                if begun or not self._over.is_set():
                    raise
                log.info("%s was cut off by the end of this replica: %r", scope["path"], error)
        answer = error_answer(_ENDING)
        answer.headers["connection"] = "close"
        await answer(scope, receive, send)
