"""Where errors become exit codes: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import logging
import os
import sys

import click
import typer

from ml_platform.cli.output import say
from ml_platform.errors import MlPlatformError


def run(app: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run a command line; every failure is one sentence on stderr, never a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.ERROR)
    try:
        result = typer.main.get_command(app).main(
            arguments, prog_name="ml-platform", standalone_mode=False
        )
    except click.UsageError as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        return 130
    except (MlPlatformError, TimeoutError, click.ClickException) as error:
        say(f"error: {error}")
        return 1
    except BrokenPipeError:
        # The reader (`head`) has seen enough; the interpreter must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0
