"""`ml-platform status`: what runs on this machine."""

from __future__ import annotations

import time

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import (
    Format,
    OutputOption,
    duration_text,
    print_json,
    print_table,
    say,
)
from ml_platform.errors import MlPlatformError
from ml_platform.job import Phase
from ml_platform.local.up import programs_of, running_platform
from ml_platform.settings import Settings


def status(output: OutputOption = Format.TABLE) -> None:
    """Show the platform's processes and how many jobs are on their way. Exit code 1 when it is
    not running."""
    state = running_platform(Settings())
    jobs = _active_jobs() if state else None
    if output is Format.JSON:
        programs = [p.model_dump(mode="json", exclude={"tree"}) for p in programs_of(state)]
        print_json({"running": state is not None, "programs": programs, "active_jobs": jobs})
    elif state is not None:
        columns = ("PROCESS", "STATE", "PID", "PORT", "UP FOR", "RESTARTS", "LOG")
        rows = (
            (
                p.name,
                p.condition,
                p.process.pid if p.process else "-",
                p.port,
                duration_text(time.time() - p.since) if p.process else "-",
                p.restarts,
                p.log,
            )
            for p in state.programs
        )
        print_table(columns, rows)
        say(f"active jobs: {'unknown' if jobs is None else jobs}")
    if state is None:
        say("the platform is not running; start it with `ml-platform up`")
        raise typer.Exit(1)


def _active_jobs() -> int | None:
    active = (phase for phase in Phase if not phase.final)
    try:
        with connect() as platform:
            return sum(1 for phase in active for _ in platform.list_jobs(phase=phase.value))
    except MlPlatformError:
        return None
