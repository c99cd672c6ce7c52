"""Which waiting jobs start now, and what the others wait for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ml_platform.cluster.interface import Capacity, Resources


@dataclass(frozen=True)
class Waiting:
    job_id: str
    rank: int
    sequence: int
    need: Resources


@dataclass(frozen=True)
class Admission:
    start: tuple[str, ...]
    messages: dict[str, str]


def admit(waiting: Iterable[Waiting], capacity: Capacity) -> Admission:
    """By priority, then in order of arrival. Nobody overtakes the first that does not fit, or a
    large job would wait for ever behind small ones; one that can never fit holds nobody up."""
    free, ahead = capacity.free, 0
    start: list[str] = []
    messages: dict[str, str] = {}
    for job in sorted(waiting, key=lambda job: (-job.rank, job.sequence)):
        if not capacity.total.covers(job.need):
            short = _short(job.need, capacity.total)
            asked, there = _amount(job.need, short), _figure(capacity.total, short)
            messages[job.job_id] = f"can never start: asks for {asked}, this machine has {there}"
        elif ahead == 0 and free.covers(job.need):
            start.append(job.job_id)
            free -= job.need
        else:
            messages[job.job_id] = _waits(job.need, Capacity(capacity.total, free), ahead)
            ahead += 1
    return Admission(tuple(start), messages)


def _waits(need: Resources, capacity: Capacity, ahead: int) -> str:
    queue = f"{ahead} {'job is' if ahead == 1 else 'jobs are'} ahead"
    if capacity.free.covers(need):
        return f"waits for its turn: {queue}"
    short = _short(need, capacity.free)
    free, total = _figure(capacity.free, short), _figure(capacity.total, short)
    text = f"waits for {_amount(need, short)}: {free} of {total} free"
    return f"{text}; {queue}" if ahead else text


def _short(need: Resources, there: Resources) -> str:
    """The first kind of resource that does not suffice."""
    if need.gpus > there.gpus:
        return "gpus"
    return "cpus" if need.cpus > there.cpus else "memory"


def _figure(resources: Resources, kind: str) -> str:
    if kind == "memory":
        return f"{resources.memory_mib / 1024:.3g} GiB"
    return f"{resources.gpus if kind == 'gpus' else resources.cpus:g}"


def _amount(resources: Resources, kind: str) -> str:
    figure = _figure(resources, kind)
    if kind == "memory":
        return f"{figure} of memory"
    name = "GPU" if kind == "gpus" else "CPU"
    return f"{figure} {name}" if figure == "1" else f"{figure} {name}s"
