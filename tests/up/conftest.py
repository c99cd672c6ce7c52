"""Dummy programs under a real supervisor in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ml_platform.local.platform_state import PlatformState, read_state
from ml_platform.local.process_tree import end_processes

Start = Callable[..., subprocess.Popen[bytes]]

# The children say where they listen by a file; `ready` looks for it.
HOST = """
import os, signal, sys, threading
from pathlib import Path
from ml_platform.local.platform_state import only_supervisor
from ml_platform.local.supervisor import Program, supervise

folder = Path(sys.argv[1])
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())

def say(text):
    print(text, flush=True)

def program(name, code):
    return Program(
        name=name, command=[sys.executable, "-c", code], environment=dict(os.environ),
        folder=folder, port=1, ready=(folder / f"{name}.ready").exists,
        stop_within=2.0, first_pause=0.05,
    )

names = [argument.split("=", 1) for argument in sys.argv[2:]]
with only_supervisor(folder):
    supervise([program(*item) for item in names], folder, stop, say, lambda: say("all is ready"))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Run a supervisor over programs given as name="code"."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(**programs: str) -> subprocess.Popen[bytes]:
        (tmp_path / "host.py").write_text(HOST)
        arguments = [f"{name}={code}" for name, code in programs.items()]
        with (tmp_path / "said.txt").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, tmp_path / "host.py", tmp_path, *arguments], stdout=said
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
    state = read_state(tmp_path)
    if state is not None:
        end_processes(state.processes(), patience=0.1)


@pytest.fixture
def state(tmp_path: Path) -> Callable[[], PlatformState | None]:
    return lambda: read_state(tmp_path)
