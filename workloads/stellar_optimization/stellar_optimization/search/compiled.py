"""What JAX compiles is kept on the machine, and compiled there by one worker at a time.

A model compiles for some 25 CPU-seconds; what is kept is loaded in a few. Nothing depends on it: where
the folder cannot be written, each worker compiles for itself.
"""

import fcntl
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "JAX_COMPILATION_CACHE_DIR"
PATIENCE = 300.0  # s; a worker that has waited longer for another one compiles as well
LOOK_AGAIN = 0.2  # s


def keep_compiled() -> None:
    """Set JAX's variables before it is imported; a folder that is named already stays."""
    try:
        folder = Path(os.environ.get(FOLDER) or _folder())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # nowhere to write, or no home
        return
    os.environ[FOLDER] = str(folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    # Else the folder's path is part of what a program is looked up by.
    os.environ["JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"] = "none"


@contextmanager
def turn_to_compile(name: str) -> Iterator[None]:
    """Wait while another worker of this machine compiles the model `name`: then it need only be loaded."""
    try:
        lock = (Path(os.environ[FOLDER]) / f"{name}.lock").open("a")
    except (OSError, KeyError):
        yield
        return
    with lock:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with its process
            except OSError:
                time.sleep(LOOK_AGAIN)
            else:
                break
        yield


def _folder() -> Path:
    """One for each kind of processor, as homes may be shared: such code may not run on another."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "stellar_optimization" / f"jax-{_processor()}"


def _processor() -> str:
    description = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    description += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(description.encode()).hexdigest()[:12]
