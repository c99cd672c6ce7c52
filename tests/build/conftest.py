"""A tiny workload in a Git repository, and settings that keep everything in the test's folder."""

from __future__ import annotations

import subprocess
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


@pytest.fixture
def settings(tmp_path: Path):
    yield Settings(root=tmp_path, home=tmp_path / "state")
    remove_read_only(tmp_path / "state" / "images")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A workload without any dependency, so that its build needs no network."""
    folder = tmp_path / "workloads" / "tiny"
    folder.mkdir(parents=True)
    (folder / "workload.yaml").write_text(WORKLOAD)
    (folder / "requirements.txt").write_text("# nothing but Python\n")
    (folder / "main.py").write_text("print('one')\n")
    (folder / ".gitignore").write_text("data/\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return folder
