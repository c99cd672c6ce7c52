"""`ml-platform serve`: the service alone, in the foreground."""

from __future__ import annotations

from ml_platform.settings import Settings


def serve() -> None:
    """Run the service alone, in the foreground; `up` runs it with everything around it."""
    # The other commands must not wait for FastAPI and libgit2 to load.
    from ml_platform.service import app  # noqa: PLC0415

    app.serve(Settings())
