"""Locked Python environments, shared between images: a folder per lock file and Python version."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uv

from ml_platform.build.file_lock import file_lock
from ml_platform.build.package_index import uv_environment
from ml_platform.errors import InputError, ServiceUnavailableError, WorkError
from ml_platform.settings import Settings

STAMP = "ml-platform.json"
_RAY = re.compile(r"^ray(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """A hashed requirements file, as it was read."""

    path: Path
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Name of the environment's folder. Wheels differ by Python version and by machine."""
        kind = f"{self.sha256} {platform.python_version()} {sys.platform} {platform.machine()}"
        return hashlib.sha256(kind.encode()).hexdigest()[:24]


def read_lock(path: Path) -> Lock:
    """Read a lock file; raises InputError when it is missing or asks for another Ray."""
    try:
        lock = Lock(path, path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(
            "does not exist",
            field=path.name,
            hint=f"make it with: uv pip compile --generate-hashes requirements.in -o {path.name}",
        ) from error
    # A job's driver joins the Ray that `up` started, and Ray refuses any other version.
    found = _RAY.search(lock.content.decode(errors="replace"))
    ours = importlib.metadata.version("ray")
    if found and found[1] != ours:
        raise InputError(
            f"asks for Ray {found[1]}, the platform runs {ours}",
            field=path.name,
            hint=f"lock it again with ray=={ours}",
        )
    return lock


def check_has_ray(lock: Lock) -> None:
    """Raise InputError unless Ray, which starts the jobs in this environment, is in it."""
    if not _RAY.search(lock.content.decode(errors="replace")):
        ours = importlib.metadata.version("ray")
        raise InputError(
            "has no Ray, which starts every job in this environment",
            field=lock.path.name,
            hint=f"add ray[default]=={ours} to what it is made from, and lock it again",
        )


def build_environment(lock: Lock, settings: Settings, say: Callable[[str], None]) -> int:
    """Install `lock` once; gives the environment's size in bytes.

    It is built under another name and renamed when it is whole, so that no job ever sees half of
    it. An interrupted build starts again from uv's cache.
    """
    folder = settings.environments_dir / lock.key
    with file_lock(folder.with_name(f".{lock.key}.lock"), say, lock.path.name):
        size = environment_size(folder)
        if size is not None:
            return size
        started = time.monotonic()
        temporary = folder.with_name(f".{lock.key}.tmp")
        for leftover in (temporary, folder):
            if leftover.exists():
                shutil.rmtree(leftover)
        say(f"installing {lock.path.name} (wheels, checked against their hashes)")
        _install(lock, temporary, settings)
        size = folder_size(temporary)
        stamp = {"size_bytes": size, "lock": lock.sha256, "python": platform.python_version()}
        (temporary / STAMP).write_text(json.dumps(stamp))
        temporary.rename(folder)
        say(f"installed {size / 1e6:.0f} MB in {time.monotonic() - started:.0f} s")
        return size


def environment_size(folder: Path) -> int | None:
    """Size of a whole environment whose Python is still there, else None."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return int(stamp["size_bytes"]) if (folder / "bin" / "python").exists() else None


def folder_size(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(
        os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - 50 000 files; Path is slow
        for parent, _, names in os.walk(folder)
        for name in names
    )


def _install(lock: Lock, target: Path, settings: Settings) -> None:
    # The very interpreter of the platform: Ray compares patch versions. Relocatable, since the
    # folder is renamed when it is done.
    _uv(
        ["venv", "--relocatable", "--no-project", "--python", sys.executable, str(target)], settings
    )
    arguments = ["pip", "sync", "--python", str(target), "--require-hashes", "--no-build"]
    arguments += ["--allow-empty-requirements", "--no-config", "-"]
    _uv(arguments, settings, lock)


def _uv(arguments: list[str], settings: Settings, lock: Lock | None = None) -> None:
    given = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    added = uv_environment(given, settings.state_dir / "uv-cache")
    fixed = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    done = subprocess.run(
        [uv.find_uv_bin(), "--quiet", *arguments],
        env={**given, **added, **fixed},
        input=lock.content if lock else b"",
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise _explained(done.stderr.decode(errors="replace"), lock.path.name if lock else "uv")


def _explained(stderr: str, name: str) -> Exception:
    """uv's complaint as an error of ours, with the way out."""
    text = " ".join(stderr.replace("-r -", name).split())[:600].removeprefix("error: ")
    low = text.lower()
    if "no space left" in low:
        return WorkError(f"the disk is full: {text}", hint="free some space and build again")
    if "hash" in low and "mismatch" in low:
        return InputError(text, field=name, hint="a package is not the one that was locked")
    if "must have a hash" in low or "--require-hashes" in low or "must be pinned" in low:
        return InputError(
            text, field=name, hint="lock it with: uv pip compile --generate-hashes requirements.in"
        )
    if any(word in low for word in ("failed to fetch", "dns error", "timed out", "connect")):
        return ServiceUnavailableError(
            f"the package index does not answer: {text}",
            hint="check the network and `pip config list`; what was downloaded is kept",
        )
    if "no usable wheel" in low or "no-build" in low or "building" in low:
        return InputError(text, field=name, hint="only packages with a wheel can go into an image")
    return InputError(f"cannot be installed: {text}", field=name)
