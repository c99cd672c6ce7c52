"""What the service needs of the place where jobs run, whatever that place is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

Object = dict[str, Any]


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


@dataclass(frozen=True)
class Observed:
    """Everything the cluster has of one job, in the API server's own shapes, trimmed.

    `events` are warnings. `queue`: its ClusterQueue while that takes no jobs. `application`: of
    Argo CD, while the RayJob is not there. `cluster`: name of the cluster; None on one machine.
    """

    rayjob: Object | None = None
    workload: Object | None = None
    queue: Object | None = None
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    application: Object | None = None
    cluster: str | None = None

    def surroundings(self) -> Object:
        """All but the RayJob, without what is empty, for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        return {name: value for name, value in values.items() if value}

    @classmethod
    def of(cls, rayjob: Object | None, surroundings: Object) -> Observed:
        lists = {name: tuple(surroundings.get(name, ())) for name in ("pods", "events")}
        return cls(rayjob=rayjob, **{**surroundings, **lists})


class LogStream(Protocol):
    """The log of a pod as it comes."""

    def blocks(self) -> Iterator[bytes]: ...

    def close(self) -> None:
        """End it; also from another thread than the one that reads."""


class Cluster(Protocol):
    """Applied jobs as the API server would give them, and room for more."""

    def objects(self) -> Mapping[str, Object]:
        """RayJob objects by job id. Read-only: a change is a new object."""

    def capacity(self, pool: str | None = None) -> Capacity | None:
        """Of one pool or of all together; None while the cluster does not tell."""

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """What holds up the jobs of whole folders, in sentences, by team."""

    def pod_log(
        self, team: str, job_id: str, source: str, *, tail: int | None, follow: bool
    ) -> LogStream:
        """The log of a job's pod: `submitter`, `head` or `worker-<n>`, n counting from 0.

        Raises InputError for another source and NotFoundError, in a sentence, when there is no
        such pod (any more).
        """
