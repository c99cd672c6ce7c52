"""Parts that several test folders share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Shared modules lie here; tests themselves are imported by path (--import-mode=importlib).
sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["ray_fixture", "service_fixture"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The workloads' tests, the longest files, first: else one worker ends with them alone."""
    items.sort(key=lambda item: "workloads" not in item.path.parts)
