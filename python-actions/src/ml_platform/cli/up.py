"""`ml-platform up`: the whole platform on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ml_platform.cli.output import print_line, say, say_with_time
from ml_platform.local.up import run_platform, start_detached
from ml_platform.settings import Settings


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Come back when all is ready; `down` ends it.")
    ] = False,
    portal: Annotated[
        bool, typer.Option("--portal/--no-portal", help="With Backstage, or without.")
    ] = True,
) -> None:
    """Start Ray, the service and the portal, and start again what dies. Ctrl-C ends all of it."""
    settings = Settings()
    if detach:
        start_detached(settings, portal=portal, say=say)
        print_line(settings.backstage_url if portal else settings.service_url)
    else:
        # A log that is read later needs the times; whoever watches a terminal does not.
        run_platform(settings, portal=portal, say=say if sys.stderr.isatty() else say_with_time)
