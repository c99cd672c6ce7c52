"""Waiting with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TestbedError(Exception):
    """The test cluster cannot do what was asked; the message says why and what to do."""


class DeadlineError(TestbedError):
    """Something did not happen in time."""


def wait_until(
    look: Callable[[], T],
    what: str,
    seconds: float = 60.0,
    pause: float = 0.1,
    explain: Callable[[], str] = str,
) -> T:
    """The first true answer of `look`. Raises DeadlineError with the last one and `explain()`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise DeadlineError(f"{what}: not within {seconds:g} s, last {answer!r}\n{explain()}")
        time.sleep(pause)
