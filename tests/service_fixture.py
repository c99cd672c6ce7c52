"""Fixtures with a running service, and how hard hypothesis searches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from service_world import Service, running

# No deadline: machines are noisy. Derandomised: a pull request fails for what it changed, and the
# same way on every machine; the profile `search` looks for what is new.
settings.register_profile(
    "ci",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "search", settings.get_profile("ci"), max_examples=2000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of this test alone."""
    with running(tmp_path) as service:
        yield service


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of a file, which leave jobs behind."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service
