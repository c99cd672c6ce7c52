"""The shipped tree, as it is, is taken by a real API server with the real CRDs and webhooks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from admission_world import a_team
from gitops_tree import TREE, render
from testbed.objects import Objects

FOLDERS = [
    "bootstrap",
    *(f"clusters/{folder.name}" for folder in sorted((TREE / "clusters").iterdir())),
    "platform/admission",
    "platform/argocd/projects",
    *(f"platform/queues/{folder.name}" for folder in sorted((TREE / "platform/queues").iterdir())),
]
# Into a namespace that may not be there yet.
SERVICES = ["platform/backstage", "platform/ml-platform"]
TEAMS = sorted((TREE / "teams").iterdir())


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_taken_as_it_is(folder: str, admin: Objects):
    for document in render(TREE / folder):
        if document["kind"] == "AppProject":
            document["metadata"].setdefault("namespace", "argocd")
        admin.apply(document, dry_run=True)


@pytest.mark.parametrize("folder", SERVICES)
def test_a_service_is_taken_as_it_is(folder: str, admin: Objects):
    _try_in(render(TREE / folder), "default", admin)


@pytest.mark.parametrize("folder", TEAMS, ids=lambda folder: folder.name)
def test_a_team_is_taken_as_it_is(folder: Path, admin: Objects):
    _try_in(render(folder), a_team(admin), admin)


def _try_in(documents: Iterable[dict[str, Any]], there: str, admin: Objects) -> None:
    """Nothing can be tried in a namespace that is not there."""
    for document in documents:
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = there
        admin.apply(document, dry_run=True)
