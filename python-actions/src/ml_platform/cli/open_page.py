"""`ml-platform open`: where a job's page is."""

from __future__ import annotations

from typing import Annotated

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import print_line


def open_page(job: Annotated[str, typer.Argument(help="The job's id.")]) -> None:
    """Print the address of a job's page in the portal."""
    with connect() as platform:
        print_line(platform.get_job(job).page_url)
