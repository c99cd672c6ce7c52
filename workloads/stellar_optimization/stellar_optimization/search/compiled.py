"""What JAX compiles is kept on the machine, and compiled there by one worker at a time.

No result depends on it: where the folder cannot be written, each worker compiles for itself.
"""

import fcntl
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

FOLDER = "JAX_COMPILATION_CACHE_DIR"
PATIENCE = 300.0  # s; a worker that has waited longer for another one compiles as well
LOOK_AGAIN = 0.2  # s


def keep_compiled() -> None:
    """Set JAX's variables before it is imported; what is set already stays.

    The evaluator, which this process starts, keeps there what it compiles, too.
    """
    try:
        folder = Path(os.environ.get(FOLDER) or _folder())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # nowhere to write, or no home
        return
    os.environ[FOLDER] = str(folder)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    # Else the folder's path is part of what a program is looked up by.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "none")


@contextmanager
def turn_to_compile(name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Let one worker of the machine compile the model `name`, while others wait until they can load it.

    Nobody waits where it was compiled before, or longer than `patience` (s), or where files cannot be locked.
    """
    lock = _lock(name)
    if lock is None:
        yield
        return
    with lock:
        _wait_for(lock, patience)
        yield
        with suppress(OSError):  # a full disk is no reason to end
            os.write(lock.fileno(), b"compiled\n")


def _lock(name: str) -> TextIO | None:
    """The model's file, opened; None where there is none, or where it says that all is compiled."""
    try:
        lock = (Path(os.environ[FOLDER]) / f"{name}.lock").open("a")
    except (OSError, KeyError):
        return None
    if lock.tell():
        lock.close()
        return None
    return lock


def _wait_for(lock: TextIO, patience: float) -> None:
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with its process
        except BlockingIOError:
            # flock has no time limit, and a signal for one would belong to the whole process: so look again.
            time.sleep(LOOK_AGAIN)
        except OSError:  # a file system without locks
            return
        else:
            # Compiled meanwhile: all that waited load it at once.
            if os.fstat(lock.fileno()).st_size:
                fcntl.flock(lock, fcntl.LOCK_UN)
            return


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
