"""`ml-platform demo`: what `make demo` runs once Python and Node are set up."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from ml_platform.cli.client import connect
from ml_platform.cli.output import print_line, say
from ml_platform.cli.watch import Watcher
from ml_platform.errors import JobFailed
from ml_platform.job import Phase
from ml_platform.local.demo import Demo
from ml_platform.settings import Settings


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop everything at the end; exit 1 if the job failed.")
    ] = False,
    set_up_since: Annotated[
        float | None, typer.Option(hidden=True, help="When the set-up began, in unix seconds.")
    ] = None,
) -> None:
    """Run the example workload from the portal's template to its result."""
    # `kill` must stop what was started just as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings()
    run = Demo(settings, say, set_up_since)
    try:
        run.prepare()
        run.start()
        with connect() as platform:
            job = run.submit(platform)
            say(f"page: {job.page_url}")
            watcher = Watcher(job, with_log=True)
            job.wait(on_change=watcher.changed)
            watcher.finished()
            run.phases.done("job")
        say(run.phases.text())
        print_line(f"{job.id} {job.view.state.phase.value} {job.page_url}")
        failure = None if job.view.state.phase is Phase.SUCCEEDED else JobFailed(job)
        if not once:
            if failure:
                say(f"error: {failure}")
            say(f"the portal runs at {settings.backstage_url} (Enter as guest); Ctrl-C ends it")
            run.stay()
            say("the platform was ended or replaced from elsewhere; this demo ends with it")
        if failure:
            raise failure
    finally:
        run.close()
