"""`ml-platform logs`: what a job has printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ml_platform.cli.client import connect


def logs(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    tail: Annotated[int | None, typer.Option(min=1, help="Only the last lines.")] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="One attempt's only; the first is 1.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="On a cluster also a pod's: submitter, head or worker-<number>.")
    ] = "job",
) -> None:
    """Print what a job has printed so far."""
    with connect() as platform:
        handle = platform.job(job)
        number = None if attempt is None else attempt - 1
        if not follow:
            sys.stdout.write(handle.logs(tail, number, source))
            return
        for piece in handle.follow_logs(tail, number, source):
            sys.stdout.write(piece)
            sys.stdout.flush()
