"""Keeps jobs that come together in one folder, since Argo CD's work goes by folders that changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ml_platform.repository import layout

PAUSE_SECONDS = 0.5  # about what a single job's sync takes: docs/scale.md
MOST_JOBS = 20  # so that no folder becomes one that is slow for each job after them


@dataclass
class _Burst:
    newest: float
    shard: str = ""  # where the next ones go, while there is room
    room: int = 0


class Bursts:
    """The jobs that were committed last, by team. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_team: dict[str, _Burst] = {}

    def copy(self) -> Bursts:
        """The same as it is now, for commits that may come to nothing."""
        other = Bursts(self._clock)
        other._of_team = {team: replace(burst) for team, burst in self._of_team.items()}
        return other

    def shard(
        self, team: str, job_id: str, shards: int, sizes: Callable[[], Mapping[str, int]]
    ) -> str:
        """The folder of a team with so many `shards` that a new job goes into.

        It is the job's own one, unless a job of the team was committed in the PAUSE_SECONDS before.
        Then it and those after it go into the smallest one, MOST_JOBS at a time. `sizes`: entries by
        folder, of those that are there.
        """
        own = layout.shard(job_id, shards)
        now = self._clock()
        burst = self._of_team.get(team)
        if burst is None or now - burst.newest > PAUSE_SECONDS:
            self._of_team[team] = _Burst(now)
            return own
        burst.newest = now
        candidates = layout.shards_from(own, shards)
        if not burst.room or burst.shard not in candidates:
            found = sizes()
            burst.shard = min(candidates, key=lambda shard: found.get(shard, 0))
            burst.room = MOST_JOBS
        burst.room -= 1
        return burst.shard
