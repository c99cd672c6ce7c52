"""Real programs under a real supervisor: what dies comes back, what ends leaves nothing behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ml_platform.errors import ConflictError
from ml_platform.local.platform_state import PlatformState, ProgramState, only_supervisor
from ml_platform.local.process_tree import ProcessId, end_processes, find, process_id

State = Callable[[], PlatformState | None]
Start = Callable[..., Any]

SLEEP = "import time; time.sleep(600)"
READY = "from pathlib import Path; Path('{name}.ready').touch(); " + SLEEP
WITH_CHILD = (
    "import subprocess, sys; from pathlib import Path; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
    "start_new_session=True); "
    "Path('child.pid').write_text(str(child.pid)); Path('a.ready').touch(); child.wait()"
)


def eventually(found: Callable[[], Any], within: float = 20.0) -> Any:
    deadline = time.monotonic() + within
    while not (answer := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return answer


def program(state: State, name: str) -> ProgramState | None:
    now = state()
    return next((p for p in now.programs if p.name == name), None) if now else None


def ready(state: State, name: str = "a", restarts: int = 0) -> ProgramState | None:
    found = program(state, name)
    good = found and found.condition == "ready" and found.restarts >= restarts
    return found if good else None


def test_programs_become_ready_and_end_with_the_supervisor(
    start: Start, state: State, tmp_path: Path
) -> None:
    supervisor = start(a=READY.format(name="a"), b=READY.format(name="b"))
    processes = [eventually(lambda name=name: ready(state, name)).process for name in ("a", "b")]
    assert state().ready and state().running
    eventually(lambda: (tmp_path / "said.txt").read_text().endswith("\nall is ready\n"))
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(10) == 0
    assert [find(process) for process in processes] == [None, None]
    assert not state().running


def test_what_is_killed_is_started_again_with_a_line_that_says_so(
    start: Start, state: State, tmp_path: Path
) -> None:
    start(a=READY.format(name="a"))
    first = eventually(lambda: ready(state))
    os.kill(first.process.pid, signal.SIGKILL)
    second = eventually(lambda: ready(state, restarts=1))
    assert second.process != first.process
    assert "a ended (signal 9); it starts again in 0.05 s" in (tmp_path / "said.txt").read_text()


def test_the_pause_between_restarts_grows(start: Start, state: State, tmp_path: Path) -> None:
    start(a="from pathlib import Path; Path('a.ready').touch(); import time; time.sleep(0.7)")
    eventually(lambda: (found := program(state, "a")) and found.restarts >= 3)
    said = (tmp_path / "said.txt").read_text()
    assert "again in 0.05 s" in said and "again in 0.1 s" in said and "again in 0.2 s" in said


def test_a_program_that_never_starts_ends_all_with_its_last_words(
    start: Start, state: State, capfd: pytest.CaptureFixture[str]
) -> None:
    supervisor = start(a="raise SystemExit('no such port')", b=READY.format(name="b"))
    assert supervisor.wait(20) == 1
    assert "a does not start: no such port" in capfd.readouterr().err
    assert state().programs == ()


def test_grandchildren_in_other_sessions_end_as_well(
    start: Start, state: State, tmp_path: Path
) -> None:
    supervisor = start(a=WITH_CHILD)
    eventually(lambda: ready(state))
    child = process_id(int((tmp_path / "child.pid").read_text()))
    assert child is not None
    supervisor.send_signal(signal.SIGTERM)
    supervisor.wait(10)
    assert find(child) is None


def test_orphans_of_a_killed_program_end_before_it_starts_again(
    start: Start, state: State, tmp_path: Path
) -> None:
    start(a=WITH_CHILD)
    first = eventually(lambda: (found := ready(state)) and found.tree and found)
    orphan = process_id(int((tmp_path / "child.pid").read_text()))
    os.kill(first.process.pid, signal.SIGKILL)
    eventually(lambda: ready(state, restarts=1))
    assert orphan is not None and find(orphan) is None


def test_programs_die_with_a_killed_supervisor_and_the_rest_is_on_record(
    start: Start, state: State, tmp_path: Path
) -> None:
    supervisor = start(a=WITH_CHILD)
    first = eventually(lambda: (found := ready(state)) and found.tree and found)
    child = process_id(int((tmp_path / "child.pid").read_text()))
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: find(first.process) is None)
    assert child is not None and child in state().processes()
    end_processes(state().processes(), patience=1.0)
    assert find(child) is None


def test_a_second_supervisor_of_the_same_folder_is_refused(
    start: Start, state: State, tmp_path: Path
) -> None:
    supervisor = start(a=READY.format(name="a"))
    eventually(lambda: ready(state))
    with (
        pytest.raises(ConflictError, match=rf"is running already \(pid {supervisor.pid}\)"),
        only_supervisor(tmp_path),
    ):
        pytest.fail("the lock was given twice")


def test_a_reused_pid_is_never_touched() -> None:
    own = process_id(os.getpid())
    assert own is not None and find(own) is not None
    stranger = ProcessId(pid=own.pid, started=own.started - 100)
    assert find(stranger) is None
    end_processes([stranger], patience=0.1)
    assert psutil.pid_exists(own.pid)
