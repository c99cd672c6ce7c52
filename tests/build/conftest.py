"""A tiny workload in a Git repository, and settings that keep everything in the test's folder."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from ml_platform.build.local import remove_read_only
from ml_platform.settings import Settings

WORKLOAD = """\
name: tiny
title: Tiny
description: Says hello.
owner: group:default/team
system: tests
entrypoint: [python, main.py]
environments:
  main: {requirements: requirements.txt}
"""

# Names the Ray that every image must have, for a Python that nobody has: nothing is installed.
RAY_ONLY = f"ray=={version('ray')} ; python_version < '3' --hash=sha256:{'0' * 64}\n"


@pytest.fixture
def ray_only() -> str:
    return RAY_ONLY


@pytest.fixture
def settings(tmp_path: Path):
    yield Settings(root=tmp_path, home=tmp_path / "state")
    remove_read_only(tmp_path / "state" / "images")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A workload that installs nothing, so that its build needs no network."""
    folder = tmp_path / "workloads" / "tiny"
    folder.mkdir(parents=True)
    (folder / "workload.yaml").write_text(WORKLOAD)
    (folder / "requirements.txt").write_text(RAY_ONLY)
    (folder / "main.py").write_text("print('one')\n")
    (folder / ".gitignore").write_text("data/\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return folder
