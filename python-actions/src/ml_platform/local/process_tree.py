"""Which processes are ours, told by pid and start time so that a reused pid is never touched."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

import psutil
from pydantic import BaseModel, ConfigDict

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class ProcessId(BaseModel):
    """A process for certain: a pid alone may be somebody else's tomorrow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    started: float


def process_id(pid: int) -> ProcessId | None:
    """The process with that pid now, or None."""
    try:
        return ProcessId(pid=pid, started=psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def find(process: ProcessId) -> psutil.Process | None:
    """The process if it still lives; None once it has ended, also if its pid is used again."""
    try:
        found = psutil.Process(process.pid)
        alive = abs(found.create_time() - process.started) < 0.05
        return found if alive and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def descendants(pid: int) -> set[ProcessId]:
    """Every process below `pid`."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return set()
    return {found for child in children if (found := process_id(child.pid)) is not None}


def end_processes(processes: Iterable[ProcessId], patience: float) -> None:
    """SIGTERM, then SIGKILL for what is left after `patience` seconds."""
    alive = [found for process in processes if (found := find(process)) is not None]
    for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        for process in alive:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(alive, timeout=wait)


def adopt_orphans() -> None:
    """Let orphans of our children become our own children, so that none is lost sight of."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """For a child before it becomes another program: end when the supervisor is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def reap_adopted(own: set[int]) -> None:
    """Take leave of ended orphans that are not in `own`, which subprocess looks after itself."""
    for child in psutil.Process().children():
        if child.pid not in own:
            try:
                os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:
                continue
