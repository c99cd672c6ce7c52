"""How the SDK speaks to the service: identity, retries, streams, and errors as exceptions again."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from ml_platform.errors import (
    MlPlatformError,
    ServiceUnavailableError,
    WorkError,
    error_from_dict,
)
from ml_platform.service_way import Way

LOG = logging.getLogger("ml_platform.sdk")
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
# Of the service, or of the ingress before it while no replica answers.
NOBODY_THERE = frozenset({502, 503, 504})
# The service sends a heartbeat every 10 s; three missed ones are a dead connection.
STREAM_SILENCE = 35.0

T = TypeVar("T")
Said = Callable[[str, str], None]


@dataclass(frozen=True)
class Patience:
    """For how many seconds without any answer a call is tried again. `meanwhile`: what goes on
    although nobody answers."""

    seconds: float
    meanwhile: str | None = None


# As long as it takes until another replica of the service commits, or this one is started again.
BRIEF = Patience(25.0)  # longer than another replica of the service waits for a Lease


class Outage:
    """A silence of the service: its beginning is said once, and its end, whoever notices them."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._lock = threading.Lock()

    def noticed(self, error: Exception, patience: Patience) -> None:
        with self._lock:
            if self._since is not None:
                return
            self._since = time.monotonic()
        rest = f"; {patience.meanwhile}" if patience.meanwhile else ""
        LOG.warning("%s; trying again for up to %g s%s", _reason(error), patience.seconds, rest)

    def over(self) -> None:
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            LOG.warning("the platform answers again after %.0f s", time.monotonic() - since)


class Connection:
    """A service and who we are to it. Answers are plain JSON, text or bytes."""

    def __init__(self, way: Way, timeout: float, patience: Patience = BRIEF) -> None:
        self.way = way
        self._timeout, self._patience = timeout, patience
        self._answered = False
        self._outage = Outage()
        self._lock = threading.Lock()
        self._opened: httpx.Client | None = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self.way.close()

    @property
    def _http(self) -> httpx.Client:
        """Made at the first call: until then nobody need know where the service is."""
        with self._lock:
            if self._opened is None:
                # The service is named by the user: a proxy for web pages would be in the way.
                self._opened = httpx.Client(
                    base_url=self.way.server(),
                    verify=self.way.tls(),
                    timeout=self._timeout,
                    trust_env=False,
                )
            return self._opened

    @property
    def answered(self) -> bool:
        """Whether there has ever been an answer: from then on, silence is taken to end."""
        return self._answered

    def get(self, path: str, patience: Patience | None = None, /, **query: Any) -> httpx.Response:
        """A whole answer; tried again while the service cannot be reached or is too busy."""
        given = {name: value for name, value in query.items() if value is not None}

        def ask() -> httpx.Response:
            with self._sent("GET", path, params=given) as response:
                response.read()
                return response

        return self._tried(ask, patience)

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[httpx.Response]:
        """An endless answer, to be read as it comes. It is not begun again when it breaks."""
        given = {name: value for name, value in query.items() if value is not None}
        timeout = httpx.Timeout(self._http.timeout.connect, read=None)
        try:
            with self._sent("GET", path, params=given, timeout=timeout) as response:
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    def run_action(
        self, action: str, body: Mapping[str, Any], *, key: str, dry_run: bool, said: Said
    ) -> dict[str, Any]:
        """The action's output; a broken connection is tried again with the same key, so that
        nothing is done twice."""
        content = {"input": body, "dryRun": dry_run, "idempotencyKey": key}
        return self._tried(lambda: self._run(action, content, said))

    def _run(self, action: str, content: dict[str, Any], said: Said) -> dict[str, Any]:
        timeout = httpx.Timeout(self._http.timeout.connect, read=STREAM_SILENCE)
        path = f"/v1/actions/{action}/run"
        with self._sent("POST", path, json=content, timeout=timeout) as response:
            for line in response.iter_lines():
                message = _message(line, self.way.server())
                if message["type"] == "output":
                    output: dict[str, Any] = message["output"]
                    return output
                if message["type"] == "error":
                    raise error_from_dict(message["error"])
                if message["type"] == "log":
                    said(message["message"], message.get("level", "info"))
        raise httpx.RemoteProtocolError("the answer ended in the middle")

    @contextmanager
    def _sent(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        headers = {"Authorization": f"Bearer {self.way.token()}"}
        with self._http.stream(method, path, headers=headers, **options) as response:
            self._answered = True
            if response.status_code not in NOBODY_THERE:
                self._outage.over()
            if response.status_code >= 400:
                response.read()
                raise _error(response)
            yield response

    def _tried(self, call: Callable[[], T], patience: Patience | None = None) -> T:
        patience = patience or self._patience
        pause, until = FIRST_PAUSE, None
        while True:
            try:
                return call()
            except (httpx.TransportError, ServiceUnavailableError) as error:
                # Nobody has ever listened there: trying again would only delay the answer.
                if isinstance(error, httpx.ConnectError) and not self._answered:
                    raise self._unreachable(error) from None
                until = until or time.monotonic() + patience.seconds
                if time.monotonic() + pause > until:
                    raise self._given_up(error, patience) from None
                self._outage.noticed(error, patience)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _given_up(self, error: Exception, patience: Patience) -> MlPlatformError:
        if patience.meanwhile is None:
            return self._unreachable(error)
        return ServiceUnavailableError(
            f"the platform at {self.way.server()} has not answered for {patience.seconds:g} s; "
            f"{patience.meanwhile}",
            hint="`ml-platform status` says whether it runs",
        )

    def _unreachable(self, error: Exception) -> MlPlatformError:
        if isinstance(error, MlPlatformError):
            return error
        if isinstance(error, httpx.TimeoutException):
            return ServiceUnavailableError(
                f"the platform at {self.way.server()} takes too long to answer"
            )
        return self.way.silent()


def _message(line: str, server: str) -> dict[str, Any]:
    """One line of a run; raises WorkError when it is none of the actions protocol."""
    try:
        message = json.loads(line)
        if isinstance(message["type"], str):
            return dict(message)
    except (ValueError, KeyError, TypeError):
        pass
    raise WorkError(
        f"{server} answered with something else than the actions protocol: {line[:80]!r}",
        hint="is this the address of an ML Platform?",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, MlPlatformError):
        return error.message
    return f"the connection to the platform broke ({str(error) or type(error).__name__})"


def _error(response: httpx.Response) -> MlPlatformError:
    # Of an ingress, whatever it writes: the service answers with neither.
    ours = response.status_code not in NOBODY_THERE - {503}
    try:
        body = response.json()["error"]
        if ours and isinstance(body, dict):
            return error_from_dict(body)
    except (ValueError, KeyError, TypeError):
        pass
    if response.status_code in NOBODY_THERE:
        return ServiceUnavailableError("the platform is too busy or just starting")
    return WorkError(
        f"{response.url} answered {response.status_code} and no reason",
        hint="is this the address of an ML Platform?",
    )
