from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import ml_platform.launcher


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image's folder whose main environment is the one of these tests."""
    root = tmp_path / "image"
    (root / "environments").mkdir(parents=True)
    (root / "environments" / "main").symlink_to(sys.prefix)
    (root / "code").mkdir()
    (root / "bin").mkdir()
    shutil.copy(ml_platform.launcher.__file__, root / "bin" / "launcher")
    (root / "bin" / "launcher").chmod(0o755)
    return root


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "job"
