"""How long the SDK waits for a service that does not answer."""

from __future__ import annotations

import pytest

from ml_platform import connection
from ml_platform.connection import Patience


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is said when the SDK gives up, and not of when."""
    monkeypatch.setattr(connection, "BRIEF", Patience(1.0))
