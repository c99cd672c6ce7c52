"""The code of a workload as Git would see it, and a read-only copy of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ml_platform.errors import InputError

MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class CodeFile:
    path: str
    executable: bool
    sha256: str
    size: int


@dataclass(frozen=True)
class CodeSnapshot:
    """The files of a workload's folder, in order; the same files give the same `sha256`."""

    folder: Path
    files: tuple[CodeFile, ...]

    @property
    def sha256(self) -> str:
        lines = [[file.path, file.executable, file.sha256] for file in self.files]
        return hashlib.sha256(json.dumps(lines, ensure_ascii=True).encode()).hexdigest()

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def copy_to(self, target: Path) -> None:
        """Write the files below `target`, read-only; raises InputError if one changed meanwhile."""
        target.mkdir(parents=True)
        for file in self.files:
            copy = target / file.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.folder / file.path, copy)
            if hashlib.sha256(copy.read_bytes()).hexdigest() != file.sha256:
                raise InputError(f"{file.path} changed during the build", hint="build again")
            copy.chmod(0o555 if file.executable else 0o444)
        # A job that writes beside its code would change what later jobs of this image run.
        for folder, _, _ in os.walk(target):
            Path(folder).chmod(0o555)


def read_code(folder: Path) -> CodeSnapshot:
    """Tracked files and untracked ones that are not ignored; raises InputError for what cannot be
    copied faithfully."""
    files = tuple(_read(folder, path) for path in sorted(_paths(folder)))
    snapshot = CodeSnapshot(folder, files)
    if snapshot.size > MAX_BYTES:
        largest = max(files, key=lambda file: file.size)
        raise InputError(
            f"the code of {folder.name} is {snapshot.size // 2**20} MiB, at most "
            f"{MAX_BYTES // 2**20} MiB are copied into an image",
            field=largest.path,
            hint="add data to .gitignore and read it from a bucket instead",
        )
    return snapshot


def _paths(folder: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
        return [name for name in names if os.path.lexists(folder / name)]
    if b"not a git repository" not in listed.stderr:
        reason = os.fsdecode(listed.stderr).strip().splitlines()[-1:]
        raise InputError(f"git cannot list {folder}: {''.join(reason)}", field="path")
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def _read(folder: Path, name: str) -> CodeFile:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError("is a link out of the workload's folder; copy the file", field=name)
    if not path.is_file():
        raise InputError("is no plain file; an image can only hold plain files", field=name)
    content = path.read_bytes()
    executable = bool(path.stat().st_mode & stat.S_IXUSR)
    return CodeFile(name, executable, hashlib.sha256(content).hexdigest(), len(content))
