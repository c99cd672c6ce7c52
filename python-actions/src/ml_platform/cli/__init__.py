"""The command line `ml-platform`: one command per file, listed by hand below."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from ml_platform.cli import (
    build,
    cancel,
    demo,
    down,
    generate,
    get,
    list_jobs,
    logs,
    open_page,
    serve,
    status,
    submit,
    teams,
    up,
)
from ml_platform.cli.exit_code import run

app = typer.Typer(
    name="ml-platform",
    help="Training jobs on this machine or a cluster: from a form, this command line or Python.",
    epilog="A first job: ml-platform up --detach; ml-platform build stellar_optimization v1.0.0; "
    "ml-platform submit stellar_optimization:v1.0.0 --team stellarator-design "
    "--preset quick --watch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ml-platform {version('ml-platform')}")
        raise typer.Exit


@app.callback()
def _platform(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Training jobs on this machine or a cluster: from a form, this command line or Python."""


_JOBS = "Jobs"
_PLATFORM = "The platform on this machine"

app.command("submit", rich_help_panel=_JOBS)(submit.submit)
app.command("list", rich_help_panel=_JOBS)(list_jobs.list_jobs)
app.command("get", rich_help_panel=_JOBS)(get.get)
app.command("logs", rich_help_panel=_JOBS)(logs.logs)
app.command("cancel", rich_help_panel=_JOBS)(cancel.cancel)
app.command("open", rich_help_panel=_JOBS)(open_page.open_page)
app.command("teams", rich_help_panel=_JOBS)(teams.teams)
app.command("up", rich_help_panel=_PLATFORM)(up.up)
app.command("down", rich_help_panel=_PLATFORM)(down.down)
app.command("status", rich_help_panel=_PLATFORM)(status.status)
app.command("build", rich_help_panel=_PLATFORM)(build.build)
app.command("generate", rich_help_panel=_PLATFORM)(generate.generate)
app.command("serve", rich_help_panel=_PLATFORM)(serve.serve)
app.command("demo", hidden=True)(demo.demo)


def main() -> None:
    """Entry point of the console script."""
    raise SystemExit(run(app))
