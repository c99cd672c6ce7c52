"""Somebody else who writes the GitOps repository, with plain git: clone, commit, push."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.org",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.org",
}


def git(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_ENVIRONMENT},
        check=check,
        capture_output=True,
        text=True,
    )


def push(repository: Path, files: dict[str, bytes | None], *options: str, tries: int = 50) -> str:
    """Commit files (None removes) on top of `main`; like anybody, again when others were quicker."""
    folder = Path(tempfile.mkdtemp(prefix="clone-"))
    try:
        git(folder, "clone", "-q", str(repository), "work")
        work = folder / "work"
        for _ in range(tries):
            git(work, "fetch", "-q", "origin")
            git(work, "reset", "-q", "--hard", "origin/main")
            for path, content in files.items():
                if content is None:
                    (work / path).unlink()
                    continue
                (work / path).parent.mkdir(parents=True, exist_ok=True)
                (work / path).write_bytes(content)
            git(work, "add", "-A", "--force")
            git(work, "commit", "-q", "--allow-empty", "-m", "Change by hand")
            if (
                git(work, "push", "-q", *options, "origin", "HEAD:main", check=False).returncode
                == 0
            ):
                return git(work, "rev-parse", "HEAD").stdout.strip()
        raise AssertionError(f"{tries} pushes lost to others")
    finally:
        shutil.rmtree(folder)
