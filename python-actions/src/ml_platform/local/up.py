"""The whole platform on this machine: started in front or in the background, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from ml_platform.errors import WorkError
from ml_platform.local.platform_state import (
    PlatformState,
    ProgramState,
    only_supervisor,
    read_state,
)
from ml_platform.local.process_tree import end_processes, find
from ml_platform.local.programs import check_ports, platform_programs
from ml_platform.local.supervisor import supervise
from ml_platform.settings import Settings

READY_SECONDS = 240.0
STOP_SECONDS = 60.0


def run_platform(settings: Settings, *, portal: bool, say: Callable[[str], None]) -> None:
    """Start everything and keep it running until Ctrl-C or SIGTERM."""
    with only_supervisor(settings.state_dir):
        clean_leftovers(settings, say)
        programs = platform_programs(settings, portal=portal)
        check_ports(programs, settings)
        stop = threading.Event()

        def asked_to_stop(number: int, _: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, asked_to_stop)
        say("starting " + ", ".join(program.name for program in programs))
        address = f"the portal runs at {settings.backstage_url} (Enter as guest)"
        if not portal:
            address = f"the service runs at {settings.service_url}"
        supervise(programs, settings.state_dir, stop, say, lambda: say(address))
        say("stopped")


def clean_leftovers(settings: Settings, say: Callable[[str], None]) -> None:
    """End what a killed `up` has left behind; the caller holds the lock, so it is gone."""
    state = read_state(settings.state_dir)
    left = {p for p in state.processes() if find(p) is not None} if state else set()
    if left:
        say(f"ending {len(left)} processes that an earlier `up` left behind")
        end_processes(left, patience=5.0)


def start_detached(settings: Settings, *, portal: bool, say: Callable[[str], None]) -> None:
    """Start everything in the background and come back when it is ready."""
    with only_supervisor(settings.state_dir):
        clean_leftovers(settings, say)
        check_ports(platform_programs(settings, portal=portal), settings)
    log = settings.state_dir / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ml_platform.cli", "up"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command if portal else [*command, "--no-portal"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "ML_PLATFORM_HOME": str(settings.state_dir)},
        )
    wait_until_ready(settings, say, process)


def wait_until_ready(
    settings: Settings, say: Callable[[str], None], process: subprocess.Popen[bytes]
) -> None:
    """Say each part as it gets ready; raises WorkError when the platform ends or takes too long."""
    log = settings.state_dir / "logs" / "up.log"
    deadline = time.monotonic() + READY_SECONDS
    told: set[str] = set()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise WorkError("".join(last).removeprefix("error: ") or "the platform ended at once")
        state = read_state(settings.state_dir)
        if state is not None and state.supervisor.pid == process.pid:
            for program in state.programs:
                if program.condition == "ready" and program.name not in told:
                    told.add(program.name)
                    say(f"{program.name} is ready")
            if state.ready:
                return
        time.sleep(0.1)
    stop_platform(settings)
    raise WorkError(
        f"not everything was ready within {READY_SECONDS:g} s", hint=f"see {log.parent}"
    )


def running_platform(settings: Settings) -> PlatformState | None:
    """The platform of this state folder, if its supervisor lives."""
    state = read_state(settings.state_dir)
    return state if state is not None and state.running else None


def programs_of(state: PlatformState | None) -> tuple[ProgramState, ...]:
    return state.programs if state else ()


def stop_platform(settings: Settings) -> bool:
    """Stop everything; False when nothing was running. Raises WorkError when it does not end."""
    state = read_state(settings.state_dir)
    if state is None:
        return False
    supervisor = find(state.supervisor)
    if supervisor is None:
        left = {process for process in state.processes() if find(process) is not None}
        end_processes(left, patience=5.0)
        return bool(left)
    supervisor.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while find(state.supervisor) is not None:
        if time.monotonic() > deadline:
            raise WorkError(f"the platform (pid {supervisor.pid}) does not end", hint="kill it")
        time.sleep(0.05)
    return True
