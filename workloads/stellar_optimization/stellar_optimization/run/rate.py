"""How fast something goes now."""

from collections import deque

WINDOW = 60.0  # seconds


class Rate:
    """Counts per second of about the last minute, of those that this attempt has seen."""

    def __init__(self, seconds: float, count: int) -> None:
        self._marks = deque([(seconds, count)])

    def now(self, seconds: float, count: int) -> float:
        """At a time in seconds, by when `count` had been reached; 0 before any time has gone by."""
        while len(self._marks) > 1 and self._marks[1][0] <= seconds - WINDOW:
            self._marks.popleft()
        began, before = self._marks[0]
        self._marks.append((seconds, count))
        return (count - before) / (seconds - began) if seconds > began else 0.0
