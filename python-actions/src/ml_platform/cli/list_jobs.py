"""`ml-platform list`: the jobs of your teams."""

from __future__ import annotations

from typing import Annotated

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import (
    Format,
    OutputOption,
    age,
    duration_text,
    headline_text,
    print_json,
    print_table,
    say,
)
from ml_platform.job import Phase
from ml_platform.service import models


def list_jobs(
    team: Annotated[str | None, typer.Option(help="Only this team's.")] = None,
    phase: Annotated[Phase | None, typer.Option(help="Only jobs in this state.")] = None,
    workload: Annotated[str | None, typer.Option(help="Only this workload's.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this user's; `me` for yours.")] = None,
    search: Annotated[str | None, typer.Option(help="Only with this in id, owner or tags.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    output: OutputOption = Format.TABLE,
) -> None:
    """List the jobs that you may see, newest first."""
    with connect() as platform:
        found = platform.list_jobs(
            team=team,
            phase=phase.value if phase else None,
            workload=workload,
            owner=owner,
            q=search,
            limit=limit,
        )
        jobs = list(found)
    if output is Format.JSON:
        print_json(jobs)
    elif jobs:
        columns = ("JOB", "STATE", "WORKLOAD", "POOL", "SUBMITTED", "RAN", "RESULT")
        print_table(columns, (_row(job) for job in jobs))
    elif any((team, phase, workload, owner, search)):
        say("none matches; `ml-platform list` without options shows all")
    else:
        say("no jobs; start one with `ml-platform submit <workload>:<version>`")


def _row(job: models.JobSummary) -> tuple[object, ...]:
    ran = ""
    if job.started_at and job.ended_at:
        ran = duration_text((job.ended_at - job.started_at).total_seconds())
    elif job.started_at and not job.state.final:
        ran = age(job.started_at)
    return (
        job.id,
        job.state.phase.value,
        f"{job.workload}:{job.version}",
        f"{job.pool} ×{job.workers}",
        f"{age(job.submitted_at)} ago",
        ran,
        headline_text(job.headline),
    )
