"""What the service needs of the place where jobs run, whatever that place is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Resources:
    """An amount of CPU cores, memory in MiB and GPUs."""

    cpus: float = 0.0
    memory_mib: int = 0
    gpus: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            round(self.cpus + other.cpus, 3),
            self.memory_mib + other.memory_mib,
            self.gpus + other.gpus,
        )

    def __sub__(self, other: Resources) -> Resources:
        return Resources(
            round(self.cpus - other.cpus, 3),
            self.memory_mib - other.memory_mib,
            self.gpus - other.gpus,
        )

    def covers(self, need: Resources) -> bool:
        return (
            self.cpus >= need.cpus and self.memory_mib >= need.memory_mib and self.gpus >= need.gpus
        )


@dataclass(frozen=True)
class Capacity:
    """What there is, and what no admitted job holds."""

    total: Resources
    free: Resources


class Cluster(Protocol):
    """Applied jobs as the API server would give them, and room for more."""

    def objects(self) -> dict[str, dict[str, Any]]:
        """RayJob objects by job id. Read-only: a change is a new object."""

    def capacity(self) -> Capacity: ...
