"""One long-running program of the cluster: started, paused, killed and ended by its recorded pid."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from testbed.layout import Layout
from testbed.readiness import answers
from testbed.waiting import TestbedError, wait_until

TAIL_BYTES = 4000
# The shell ends at once, so that the program belongs to no test process and outlives it.
# Where sessions are scheduled as groups a process's own niceness counts within its session only. Without
# root the kernel takes one such change every 100 ms.
_NICE = """
[ "$0" = 0 ] && exec "$@"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -w /proc/self/autogroup ] || { echo "$0" >/proc/self/autogroup; } 2>/dev/null && break
    sleep 0.1
done
exec nice -n "$0" "$@"
"""
_DETACH = '"$@" </dev/null >>"$TESTBED_LOG" 2>&1 & echo $!'


@dataclass(frozen=True)
class Program:
    """How a component is started, and the address at which it answers (see `readiness`)."""

    name: str
    command: list[str]
    ready: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 5.0
    nice: int = 0

    def save(self, folder: Path) -> None:
        """Keep it, so that another process can start the component again."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{self.name}.new"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self), indent=1))
        draft.rename(folder / f"{self.name}.json")  # whole at any time: others read all of them

    @classmethod
    def load(cls, file: Path) -> Program:
        return cls(**json.loads(file.read_text()))


class Component:
    """A program of the cluster. Its pid lies in a file, so that any process can end it."""

    def __init__(self, program: Program, layout: Layout) -> None:
        self.program = program
        self.name = program.name
        self.log = layout.logs / f"{program.name}.log"
        self._pid_file = layout.pids / program.name

    @property
    def pid(self) -> int | None:
        process = self._process()
        return process.pid if process else None

    @property
    def running(self) -> bool:
        return self._process() is not None

    def start(self) -> None:
        if self.running:
            raise TestbedError(f"{self.name} runs already")
        wait_until(self._port_is_free, f"the port of {self.name} is free", 30)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.program.environment, "TESTBED_LOG": str(self.log)}
        started = subprocess.run(
            [
                "sh",
                "-c",
                _DETACH,
                "sh",
                "sh",
                "-c",
                _NICE,
                str(self.program.nice),
                *self.program.command,
            ],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
            start_new_session=True,
        )
        pid = int(started.stdout)
        self._pid_file.write_text(f"{pid} {_birth(pid)}")

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Until it answers; raises DeadlineError with the end of its log."""
        wait_until(self._answers, f"{self.name} is ready", seconds, explain=self.tail)

    def restart(self, seconds: float = 60.0) -> None:
        self.stop()
        self.start()
        self.wait_ready(seconds)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it takes longer than it may. Nothing when it does not run."""
        process = self._process()
        if process is not None:
            process.resume()
            process.terminate()
            if not _ended(process, self.program.stop_seconds):
                process.kill()
                _ended(process, 10)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """kill -9, as when the machine or the kernel takes it away."""
        process = self._must_run()
        process.kill()
        _ended(process, 10)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and does nothing."""
        self._must_run().suspend()

    def resume(self) -> None:
        self._must_run().resume()

    def tail(self) -> str:
        """The end of its log, for messages."""
        text = self.log.read_bytes()[-TAIL_BYTES:] if self.log.exists() else b"(no log)"
        return f"--- {self.log}\n{text.decode(errors='replace')}"

    def _answers(self) -> bool:
        if not self.running:
            raise TestbedError(f"{self.name} has ended\n{self.tail()}")
        return answers(self.program.ready)

    def _port_is_free(self) -> bool:
        """A killed program may hold its port for a moment while the kernel takes it apart."""
        port = urlsplit(self.program.ready).port if "://" in self.program.ready else None
        if port is None:
            return True
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                return False
        return True

    def _must_run(self) -> psutil.Process:
        process = self._process()
        if process is None:
            raise TestbedError(f"{self.name} does not run\n{self.tail()}")
        return process

    def _process(self) -> psutil.Process | None:
        """The recorded process, if it still is that one: pids are used again."""
        try:
            pid, birth = self._pid_file.read_text().split()
            process = psutil.Process(int(pid))
            same = _birth(process.pid) == birth and process.status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return process if same else None


def _birth(pid: int) -> str:
    """Start time in clock ticks since boot: unlike a date it does not move with the clock."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return str(psutil.Process(pid).create_time())


def _ended(process: psutil.Process, seconds: float) -> bool:
    """Whether it ends in time. A zombie has ended: its parent is somebody else."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
