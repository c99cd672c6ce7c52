"""Carries the log of a pod, which a thread has to wait for, to a coroutine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from ml_platform.cluster.interface import LogStream
from ml_platform.errors import MlPlatformError, ServiceUnavailableError

MOST_READERS = 64  # each is a thread, and a connection to an API server
BLOCKS_AHEAD = 16
_readers = threading.BoundedSemaphore(MOST_READERS)


async def blocks_of(stream: LogStream) -> AsyncIterator[bytes]:
    """Pieces as they come. Whoever stops asking ends the reading too."""
    if not _readers.acquire(blocking=False):
        stream.close()
        raise ServiceUnavailableError(
            f"{MOST_READERS} logs of pods are being read already", hint="try again later"
        )
    reader = _Reader(stream)
    try:
        while (block := await reader.next()) is not None:
            yield block
    finally:
        reader.close()


class _Reader:
    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        # What a slow listener has not taken yet must not fill the memory.
        self._room = threading.Semaphore(BLOCKS_AHEAD)
        self._closed = False
        threading.Thread(target=self._read, name="pod-log", daemon=True).start()

    async def next(self) -> bytes | None:
        block = await self._queue.get()
        self._room.release()
        return block

    def close(self) -> None:
        self._closed = True
        self._room.release()
        self._stream.close()

    def _read(self) -> None:
        try:
            for block in self._stream.blocks():
                self._room.acquire()
                if self._closed:
                    return
                self._pass_on(block)
        except MlPlatformError as error:
            self._pass_on(f"\n[the log broke off: {error}]\n".encode())
        finally:
            self._pass_on(None)
            _readers.release()

    def _pass_on(self, block: bytes | None) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, block)
