"""`ml-platform cancel`: end a job."""

from __future__ import annotations

from typing import Annotated

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import Format, OutputOption, print_json, print_line, say


def cancel(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    reason: Annotated[str | None, typer.Option(help="Why; shown on the job's page.")] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """End a job. What it has written so far is kept; a job that has ended stays as it ended."""
    with connect() as platform:
        state = platform.job(job).cancel(reason)
    if state != "cancelled":
        say(f"{job} had ended already")
    if output is Format.JSON:
        print_json({"job_id": job, "state": state})
    else:
        print_line(f"{job} {state}")
