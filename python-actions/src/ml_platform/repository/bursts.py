"""Keeps jobs that come together in one folder, since Argo CD's work goes by folders that changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ml_platform.repository import layout

PAUSE_SECONDS = 0.5  # about what a single job's sync takes: docs/scale.md
MOST_JOBS = 20  # so that no folder becomes one that is slow for each job after them


@dataclass
class _Burst:
    newest: float
    folder: str | None = None  # of all jobs after the first
    room: int = 0


class Bursts:
    """The jobs that came last, by team. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_team: dict[str, _Burst] = {}

    def path(self, team: str, own: str, sizes: Callable[[], Mapping[str, int]]) -> str:
        """Where a new job goes whose own place is the path `own`, in a folder of its team.

        It goes there unless another job of the team came at most PAUSE_SECONDS before. Then it and
        those after it, MOST_JOBS in all, go into the team's smallest folder. `sizes`: files by folder.
        """
        now = self._clock()
        burst = self._of_team.get(team)
        if burst is None or now - burst.newest > PAUSE_SECONDS:
            self._of_team[team] = _Burst(now)
            return own
        if not burst.room:
            found = sizes()
            if not found:  # there is no folder yet
                return own
            burst.folder = min(found, key=lambda folder: (found[folder], folder))
            burst.room = MOST_JOBS
        burst.newest = now
        burst.room -= 1
        return layout.moved(own, str(burst.folder))
