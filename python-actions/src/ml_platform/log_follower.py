"""A job's log as it grows, across connections that break."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from ml_platform.connection import Connection
from ml_platform.errors import ServiceUnavailableError
from ml_platform.service.models import LOG_START

PAUSE_SECONDS = 1.0
FRUITLESS_TRIES = 10


class LogFollower:
    """`is_over` says whether nothing is to come any more; it waits for a service that is silent."""

    def __init__(
        self,
        connection: Connection,
        path: str,
        query: Mapping[str, Any],
        is_over: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._path = path
        self._query = query
        self._is_over = is_over
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._place: int | None = 0  # bytes of the log that have gone by; None: that is not known
        self._fruitless = 0

    def pieces(self, tail: int | None) -> Iterator[str]:
        """The text, from its last `tail` lines on when given."""
        broken = yield from self._attempted(tail)
        # Also a service that is told to stop ends the answer, as if the log were complete.
        while not self._is_over() or broken:
            if self._place is None:
                return
            time.sleep(PAUSE_SECONDS)
            broken = yield from self._attempted(None)

    def _attempted(self, tail: int | None) -> Generator[str, None, bool]:
        """What one connection brings that is new; True when it broke."""
        try:
            yield from self._stream(tail)
            return False
        except ServiceUnavailableError:
            self._fruitless += 1
            unheard = not self._connection.answered or self._fruitless > FRUITLESS_TRIES
            if unheard or self._place is None:
                raise
            return True

    def _stream(self, tail: int | None) -> Iterator[str]:
        skip = self._place or 0
        with self._connection.stream(
            self._path, **self._query, tail=tail, follow="true"
        ) as response:
            if tail is not None:
                start = response.headers.get(LOG_START)
                self._place = None if start is None else int(start)
            for block in response.iter_bytes():
                unseen, skip = block[skip:], max(0, skip - len(block))
                if unseen:
                    self._fruitless = 0
                    self._place = None if self._place is None else self._place + len(unseen)
                    yield self._decoder.decode(unseen)
