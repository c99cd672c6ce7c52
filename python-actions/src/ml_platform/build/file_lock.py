"""One builder at a time: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, say: Callable[[str], None], waiting_for: str) -> Iterator[None]:
    """Hold `path` locked; says `waiting_for` once when somebody else holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another build of {waiting_for}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
