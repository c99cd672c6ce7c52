"""Starts programs, starts again what dies, and ends all of them with everything they started."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_platform.errors import WorkError
from ml_platform.local.platform_state import (
    Condition,
    PlatformState,
    ProgramState,
    write_state,
)
from ml_platform.local.process_tree import (
    ProcessId,
    adopt_orphans,
    descendants,
    die_with_parent,
    end_processes,
    process_id,
    reap_adopted,
)

TICK_SECONDS = 0.1
CAPTURE_SECONDS = 2.0
PROBE_SECONDS = 0.3
LONGEST_PAUSE = 30.0
# A program that has run so long has not failed to start: its next restart waits briefly again.
PROVEN_SECONDS = 60.0
FAILED_STARTS = 3
LOG_BYTES = 50 * 2**20


@dataclass(frozen=True)
class Program:
    """Something to keep running. `ready` says whether it answers; it must not take long."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    port: int
    ready: Callable[[], bool]
    ready_within: float = 180.0
    stop_within: float = 10.0
    first_pause: float = 0.5


class Supervised:
    """One program and its present process."""

    def __init__(self, program: Program, log: Path, say: Callable[[str], None]) -> None:
        self.program = program
        self.log = log
        self._say = say
        self.condition: Condition = "stopped"
        self.restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.tree: set[ProcessId] = set()
        self._id: ProcessId | None = None
        self._since = 0.0
        self._started = 0.0
        self._next_probe = 0.0
        self._pause = program.first_pause
        self._start_at = 0.0
        self.was_ready = False
        self.failed_starts = 0

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.program.command,
                env=dict(self.program.environment),
                cwd=self.program.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the whole terminal; the order of stopping is ours to choose.
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the supervisor has one thread
            )
        self._id = process_id(self.process.pid)
        self.condition = "starting"
        self._since, self._started, self._next_probe = time.time(), time.monotonic(), 0.0

    def tick(self) -> None:
        """Look after the process: probe it, or start it again when it has died."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._start_at:
                self.start()
        elif (code := self.process.poll()) is not None:
            self._died(code, now)
        elif self.condition == "starting" and now >= self._next_probe:
            self._next_probe = now + PROBE_SECONDS
            if self.program.ready():
                self.condition, self.was_ready = "ready", True
                self._say(f"{self.program.name} is ready after {now - self._started:.1f} s")
            elif now - self._started > self.program.ready_within:
                self._say(f"{self.program.name} does not answer; it is started again")
                self.end()
                self._died(None, now)

    def _died(self, code: int | None, now: float) -> None:
        self.end()
        self.process, self._id = None, None
        self.failed_starts = 0 if self.was_ready else self.failed_starts + 1
        if now - self._started > PROVEN_SECONDS:
            self._pause = self.program.first_pause
        self.condition, self.restarts = "waiting to restart", self.restarts + 1
        self._start_at = now + self._pause
        if code is not None:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._say(
                f"{self.program.name} ended ({how}); it starts again in {self._pause:g} s, "
                f"see {self.log}"
            )
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def capture(self) -> None:
        """Remember everything the program has started."""
        if self.process is not None:
            self.tree |= descendants(self.process.pid)
        alive = {process for process in self.tree if process_id(process.pid) == process}
        self.tree = alive

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self) -> None:
        """End the process, then whatever of its offspring is left."""
        self.capture()
        if self.process is not None and self.process.poll() is None:
            self.ask_to_end()
            try:
                self.process.wait(self.program.stop_within)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        end_processes(self.tree, patience=2.0)
        self.tree = set()
        self.condition = "stopped"

    def state(self) -> ProgramState:
        return ProgramState(
            name=self.program.name,
            condition=self.condition,
            port=self.program.port,
            process=self._id,
            since=self._since,
            restarts=self.restarts,
            log=str(self.log),
            tree=tuple(sorted(self.tree, key=lambda process: process.pid)),
        )


def supervise(
    programs: Sequence[Program],
    state_dir: Path,
    stop: threading.Event,
    say: Callable[[str], None],
    when_ready: Callable[[], None] = lambda: None,
) -> None:
    """Keep `programs` running until `stop` is set; blocks. Raises WorkError when one of them never
    starts. `when_ready` is called once, when all of them answer for the first time. To be called in
    the main thread of a process that does nothing else."""
    adopt_orphans()
    (state_dir / "logs").mkdir(parents=True, exist_ok=True)
    own = process_id(os.getpid())
    assert own is not None
    children = [Supervised(p, state_dir / "logs" / f"{p.name}.log", say) for p in programs]
    written: tuple[object, ...] = ()
    captured, announced = 0.0, False
    try:
        while not stop.is_set():
            for child in children:
                child.tick()
                _give_up_on(child)
            if time.monotonic() - captured > CAPTURE_SECONDS:
                captured = time.monotonic()
                for child in children:
                    child.capture()
                reap_adopted({child.process.pid for child in children if child.process})
            states = tuple(child.state() for child in children)
            if states != written:
                written = states
                state = PlatformState(supervisor=own, programs=states)
                write_state(state_dir, state)
                if state.ready and not announced:
                    announced = True
                    when_ready()
            stop.wait(TICK_SECONDS)
    finally:
        # All but the first are asked at once; the first, which the others use, ends last.
        for child in children[1:]:
            child.ask_to_end()
        for child in reversed(children):
            child.end()
        end_processes(descendants(os.getpid()), patience=2.0)
        write_state(state_dir, PlatformState(supervisor=own))


def _give_up_on(child: Supervised) -> None:
    if child.failed_starts < FAILED_STARTS:
        return
    last = child.log.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()[-3:]
    raise WorkError(
        f"{child.program.name} does not start: {' / '.join(last) or 'it says nothing'}",
        hint=f"its log is {child.log}",
    )
