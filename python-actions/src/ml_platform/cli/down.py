"""`ml-platform down`: end what `up` started."""

from __future__ import annotations

from ml_platform.cli.output import say
from ml_platform.local.up import stop_platform
from ml_platform.settings import Settings


def down() -> None:
    """Stop the platform on this machine. Its state stays: jobs, results and images."""
    say("stopped" if stop_platform(Settings()) else "nothing was running")
