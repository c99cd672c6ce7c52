"""The SDK as the commands use it: what actions say goes to stderr."""

from __future__ import annotations

from ml_platform.cli.output import say
from ml_platform.sdk import PlatformClient


def connect() -> PlatformClient:
    """A client that tells the person what actions say while they work."""
    return PlatformClient(on_message=lambda message, level: say(_worded(message, level)))


def _worded(message: str, level: str) -> str:
    return message if level == "info" else f"{level}: {message}"
