"""`ml-platform status`: what runs on this machine, and which service the other commands speak to."""

from __future__ import annotations

import time

import typer
from pydantic import BaseModel

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
from ml_platform.local.platform_state import PlatformState
from ml_platform.local.up import programs_of, running_platform
from ml_platform.settings import Settings


class Service(BaseModel):
    """The service that answers, the way to it, and who it takes the caller for."""

    way: str
    user: str
    teams: list[str]
    active_jobs: int


def status(output: OutputOption = Format.TABLE) -> None:
    """Show the platform's processes on this machine, which service is used, and how many jobs are
    on their way. Exit code 1 when no service answers."""
    state = running_platform(Settings())
    service, problem = _service()
    if output is Format.JSON:
        programs = [p.model_dump(mode="json", exclude={"tree"}) for p in programs_of(state)]
        found = service and service.model_dump()
        print_json({"running": state is not None, "programs": programs, "service": found})
    elif state is not None:
        _print_programs(state)
    if service is not None:
        teams = ", ".join(service.teams) or "none"
        say(f"service: {service.way}\nyou are {service.user}, teams: {teams}")
        say(f"active jobs: {service.active_jobs}")
    if problem is not None:
        say(f"no service answers: {problem}")
        raise typer.Exit(1)


def _print_programs(state: PlatformState) -> None:
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


def _service() -> tuple[Service | None, MlPlatformError | None]:
    active = (phase for phase in Phase if not phase.final)
    try:
        with connect() as platform:
            me = platform.me()
            jobs = sum(1 for phase in active for _ in platform.list_jobs(phase=phase.value))
            return Service(way=platform.way, user=me.user, teams=me.teams, active_jobs=jobs), None
    except MlPlatformError as error:
        return None, error
