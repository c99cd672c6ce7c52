"""`ml-platform get`: everything about one job."""

from __future__ import annotations

from typing import Annotated

import typer

from ml_platform.budget import money
from ml_platform.cli.client import connect
from ml_platform.cli.output import (
    Format,
    OutputOption,
    count_of,
    duration_text,
    headline_text,
    local_time,
    print_fields,
    print_json,
    print_line,
)
from ml_platform.job import Phase
from ml_platform.service import models


def get(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    manifest: Annotated[
        bool, typer.Option("--manifest", help="Print the RayJob that was committed, as YAML.")
    ] = False,
    output: OutputOption = Format.TABLE,
) -> None:
    """Show a job: its state and why, its road, what was asked and what has come out."""
    with connect() as platform:
        if manifest:
            print_line(platform.job(job).manifest().rstrip("\n"))
            return
        view = platform.get_job(job).view
    if output is Format.JSON:
        print_json(view)
        return
    print_fields(_fields(view))
    print_line("")
    print_fields(
        (hop.title, f"{local_time(hop.at) if hop.at else '-':19}  {hop.detail or ''}")
        for hop in view.hops
    )


def _attempt(view: models.Job) -> str | None:
    """Which one it is in, or ended with; a job that was cancelled before it ran had none."""
    never = view.state.phase is Phase.CANCELLED and view.started_at is None
    return None if never else f"{view.attempt + 1} of {view.attempts}"


def _fields(view: models.Job) -> list[tuple[str, object]]:
    took = None
    if view.started_at and view.ended_at:
        took = duration_text((view.ended_at - view.started_at).total_seconds())
    return [
        ("job", view.id),
        ("state", view.state.phase.value),
        ("reason", view.cause or view.state.reason),
        ("result", headline_text(view.headline)),
        ("ran for", took),
        ("cost", f"{money(view.cost.amount)} {view.cost.currency}" if view.cost else None),
        ("attempt", _attempt(view)),
        *((f"attempt {a.number + 1}", a.cause) for a in view.earlier_attempts),
        ("workload", f"{view.workload}:{view.version}"),
        ("image", view.spec.image),
        ("preset", view.spec.preset),
        ("goes on from", view.spec.resume_from),
        ("parameters", view.spec.parameters),
        ("pool", f"{view.pool}, {count_of(view.workers, 'worker')}"),
        ("team", view.team),
        ("owner", view.owner),
        ("tags", ", ".join(view.spec.tags)),
        ("commit", view.commit.sha[:12]),
        ("manifest", view.path),
        ("page", view.page_url),
    ]
