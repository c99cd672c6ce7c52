"""Wakes every listener when something changed; threads tell, coroutines listen."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


class Notices:
    """A broadcast without content: listeners look for themselves what is new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.closed = False

    def tell(self) -> None:
        """Wake every listener; from any thread."""
        with self._lock:
            listeners = tuple(self._listeners)
        for loop, event in listeners:
            with contextlib.suppress(RuntimeError):  # that listener's loop has ended
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Wake every listener for the last time."""
        self.closed = True
        self.tell()

    @contextlib.contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change; the listener clears it before it looks."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._listeners.add(entry)
        try:
            yield entry[1]
        finally:
            with self._lock:
                self._listeners.discard(entry)
