"""`ml-platform open`: where a job's page is."""

from __future__ import annotations

from typing import Annotated

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import Format, OutputOption, print_json, print_line


def open_page(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    output: OutputOption = Format.TABLE,
) -> None:
    """Print the address of a job's page in the portal."""
    with connect() as platform:
        address = platform.get_job(job).page_url
    if output is Format.JSON:
        print_json({"page_url": address})
    else:
        print_line(address)
