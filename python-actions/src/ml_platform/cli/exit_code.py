"""Where errors become exit codes: 0 done, 1 refused, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import logging
import os
import sys

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from ml_platform.cli.output import say
from ml_platform.errors import MlPlatformError
from ml_platform.settings import Settings


def run(app: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run a command line; every failure is one sentence on stderr, never a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.ERROR)
    try:
        typer.main.get_command(app).main(arguments, prog_name="ml-platform")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except (MlPlatformError, TimeoutError) as error:
        say(f"error: {error}")
        return 1
    except (ValidationError, SettingsError) as error:
        say(f"error: {_wrong_setting(error)}")
        return 2
    except BrokenPipeError:
        # The reader (`head`) has seen enough; the interpreter must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _wrong_setting(error: ValidationError | SettingsError) -> str:
    """Which variable is wrong; any other model that does not fit is a fault of ours."""
    if isinstance(error, SettingsError):
        return f"{error}; several values are a JSON list (see docs/reference/settings.md)"
    if error.title != Settings.__name__:
        raise error
    first = error.errors(include_url=False)[0]
    name = f"ML_PLATFORM_{str(first['loc'][0]).upper()}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message}, got {first['input']!r} (see docs/reference/settings.md)"
