#!/bin/sh
"""exec" "$(dirname -- "$(readlink -f -- "$0")")/../environments/main/bin/python" -I "$0" "$@"
Run one attempt of a job: `launcher -- <argument list>`. Every image carries it as `bin/launcher`.
`launcher --stop` ends what runs here for JOB_DIR and waits for it (Linux), as Ray does not.

To sh the line above is a command, to Python it is text: so the launcher runs with the image's own
Python wherever the image lies. `-I` keeps the job's code and variables from changing what it
imports. Standard library only; fsspec is imported when JOB_DIR is not a local folder.

It claims the next number in JOB_DIR by an atomic create, since neither KubeRay nor Kueue gives one
and an old attempt can live on beside its successor; runs the command; copies its output to
`logs/<number>.log`; and records how it ended in `attempts/<number>/exit.json`. Where an earlier
attempt came to its own end with exit code 0 the job is done, and the command is not run again.
Exit code: the command's, 128 + n for signal n, 75 when a later attempt took over.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import json
import os
import queue
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

USAGE, NO_FOLDER, SUPERSEDED, CANNOT_START = 64, 74, 75, 127
WATCH_SECONDS = 1.0
STOP_POLL_SECONDS = 0.1
CHUNK_BYTES, CHUNK_SECONDS = 1 << 20, 5.0
TAIL_BYTES = 1 << 16
ORPHAN_GRACE_SECONDS = 2.0
# By return code: how long after the command's end the SIGTERM may still arrive that ended it, too. A program
# that ends with 0 when it is told to takes longer than Ray from one process to the next; each job waits this.
LATE_SIGNAL_SECONDS = {-signal.SIGTERM: 1.0, 0: 0.5}
# The cause, where nobody stopped the command; local/run_records.py knows it, too.
DONE = "exit code 0"
PR_SET_PDEATHSIG = 1


class Folder(Protocol):
    """The run directory, as far as the launcher needs it."""

    def claimed(self) -> list[int]: ...

    def exists(self, path: str) -> bool: ...

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""

    def create(self, path: str, content: bytes) -> None:
        """Write a new file, complete or not at all; raises FileExistsError when there is one."""

    def append(self, path: str, content: bytes) -> None: ...

    def flush(self, *, force: bool) -> None: ...


class LocalFolder:
    def __init__(self, path: Path) -> None:
        self._path = path
        (path / "attempts").mkdir(parents=True, exist_ok=True)
        (path / "logs").mkdir(exist_ok=True)

    def claimed(self) -> list[int]:
        names = [p.parent.name for p in self._path.glob("attempts/*/claim.json")]
        return [int(name) for name in names if name.isdecimal()]

    def exists(self, path: str) -> bool:
        return (self._path / path).exists()

    def read(self, path: str) -> bytes:
        return (self._path / path).read_bytes()

    def create(self, path: str, content: bytes) -> None:
        target = self._path / path
        target.parent.mkdir(exist_ok=True)
        draft = target.with_name(f".draft-{socket.gethostname()}-{os.getpid()}")
        try:
            draft.write_bytes(content)
            target.hardlink_to(draft)  # unlike a rename it fails when somebody was first
        finally:
            draft.unlink(missing_ok=True)

    def append(self, path: str, content: bytes) -> None:
        with (self._path / path).open("ab", buffering=0) as file:
            write_all(file.fileno(), content)

    def flush(self, *, force: bool) -> None:
        """Nothing is held back."""


class ObjectFolder:
    """A folder of an object store: no append, so that a log becomes numbered chunks."""

    def __init__(self, uri: str) -> None:
        self._files, self._root = importlib.import_module("fsspec").core.url_to_fs(uri.rstrip("/"))
        self._held = bytearray()
        self._chunks: dict[str, int] = {}
        self._log = ""
        self._flushed = time.monotonic()

    def claimed(self) -> list[int]:
        self._files.invalidate_cache()
        found = self._files.glob(f"{self._root}/attempts/*/claim.json")
        names = [str(path).split("/")[-2] for path in found]
        return [int(name) for name in names if name.isdecimal()]

    def exists(self, path: str) -> bool:
        self._files.invalidate_cache()
        return bool(self._files.exists(f"{self._root}/{path}"))

    def read(self, path: str) -> bytes:
        return bytes(self._files.cat_file(f"{self._root}/{path}"))

    def create(self, path: str, content: bytes) -> None:
        self._files.pipe_file(f"{self._root}/{path}", content, mode="create")

    def append(self, path: str, content: bytes) -> None:
        self._log = path
        self._held += content
        self.flush(force=len(self._held) >= CHUNK_BYTES)

    def flush(self, *, force: bool) -> None:
        if not self._held or not (force or time.monotonic() - self._flushed > CHUNK_SECONDS):
            return
        number = self._chunks.get(self._log, 0)
        chunk = f"{self._log.removesuffix('.log')}-{number:06d}.log"
        self._files.pipe_file(f"{self._root}/{chunk}", bytes(self._held))
        self._chunks[self._log] = number + 1
        self._held.clear()
        self._flushed = time.monotonic()


def open_folder(uri: str) -> Folder:
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return LocalFolder(Path(unquote(parts.path)))
    return ObjectFolder(uri)


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def complain(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody may be listening any more
        sys.stderr.write(f"launcher: {text}\n")
        sys.stderr.flush()


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def submission() -> str | None:
    """The Ray submission that started this launcher, if one did."""
    try:
        config = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
        return str(config["metadata"]["job_submission_id"])
    except (ValueError, KeyError, TypeError):
        return None


def claim(folder: Folder) -> int:
    """The number of this attempt: one more than the highest that anybody has claimed."""
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "time": now(),
        "submission": submission(),
    }
    number = max(folder.claimed(), default=-1) + 1
    while True:
        content = json.dumps({"number": number, **record}).encode()
        try:
            folder.create(f"attempts/{number}/claim.json", content)
            return number
        except FileExistsError:
            number += 1


def done_by(folder: Folder, number: int) -> int | None:
    """The attempt before this one that finished the job, if one did.

    Whoever starts attempts may have missed it: a head that was lost just after the end, a cluster
    that was made anew from Git before the end reached the archive.
    """
    for earlier in sorted(folder.claimed()):
        if earlier < number:
            with contextlib.suppress(FileNotFoundError, ValueError, AttributeError):
                end = json.loads(folder.read(f"attempts/{earlier}/exit.json"))
                if end.get("code") == 0 and end.get("cause") == DONE:
                    return earlier
    return None


def leave_out(folder: Folder, number: int, earlier: int) -> None:
    """End an attempt of a job that is done."""
    text = f"attempt {earlier + 1} finished this job: there is nothing left to run"  # from 1
    complain(text)
    with contextlib.suppress(Exception):  # the log is for people; the record counts
        folder.append(f"logs/{number}.log", f"launcher: {text}\n".encode())
        folder.flush(force=True)
    record_exit(folder, number, 0, DONE)


def environment(root: Path, number: int) -> dict[str, str]:
    environments = root / "environments"
    path = f"{environments / 'main' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {
        **os.environ,
        "JOB_ATTEMPT": str(number),
        "JOB_ENVIRONMENTS": str(environments),
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
    }


def start(argv: list[str], root: Path, number: int) -> subprocess.Popen[bytes]:
    """The command in its own process group. The kernel kills it when the launcher dies (Linux)."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_the_launcher() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return subprocess.Popen(
        argv,
        cwd=root / "code",
        env=environment(root, number),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_the_launcher,  # noqa: PLW1509  # no thread runs yet
    )


def guard(group: int) -> int:
    """Start a process that kills the command's whole group if the launcher is killed.

    PR_SET_PDEATHSIG reaches the command only, not what it started. Returns a descriptor: a byte
    written to it ends the guard, its closing without one means that the launcher is gone.
    """
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray sends it to every descendant
        if not os.read(reader, 1):
            kill_group(group)
        os._exit(0)
    os.close(reader)
    return writer


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class Output:
    """Copies the command's output to the launcher's own and to the attempt's log."""

    def __init__(self, source: int, folder: Folder, number: int) -> None:
        self._source, self._folder, self._log = source, folder, f"logs/{number}.log"
        self.tail = b""
        self._lost: set[str] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._thread.join(timeout=10)

    def say(self, text: str) -> None:
        self._pass_on(f"launcher: {text}\n".encode())

    def _copy(self) -> None:
        while True:
            ready, _, _ = select.select([self._source], [], [], 1.0)
            data = os.read(self._source, 1 << 16) if ready else None
            if data:
                self.tail = (self.tail + data)[-TAIL_BYTES:]
                self._pass_on(data)
            with self._lock:
                self._attempt("log", partial(self._folder.flush, force=data == b""))
            if data == b"":
                return

    def _pass_on(self, data: bytes) -> None:
        with self._lock:
            self._attempt("output", lambda: write_all(sys.stdout.fileno(), data))
            self._attempt("log", lambda: self._folder.append(self._log, data))

    def _attempt(self, name: str, write: Callable[[], object]) -> None:
        """A full disk or a lost reader must not end the training: the other copy goes on."""
        if name in self._lost:
            return
        try:
            write()
        except Exception as error:
            self._lost.add(name)
            complain(f"the copy to the {name} ended: {error}")


Events = queue.SimpleQueue[str]


def signals() -> Events:
    """What may end the attempt, from now on, in words; an empty word is the command's own end."""
    events: Events = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: events.put("stopped by SIGTERM"))
    signal.signal(signal.SIGINT, lambda *_: events.put("stopped by SIGINT"))
    return events


class Attempt:
    """One running command and what may end it."""

    def __init__(
        self, argv: list[str], root: Path, folder: Folder, number: int, events: Events
    ) -> None:
        self._folder, self._number, self._parent = folder, number, os.getppid()
        self._events = events
        # Numbers are claimed without gaps, so that one look is enough.
        self._successor = f"attempts/{number + 1}/claim.json"
        self._superseded = f"superseded by attempt {number + 2}"  # from 1
        self._child = start(argv, root, number)
        self._guard = guard(self._child.pid)
        assert self._child.stdout is not None
        self._output = Output(self._child.stdout.fileno(), folder, number)
        for watch in (self._wait_for_exit, self._watch_successor, self._watch_parent):
            threading.Thread(target=watch, daemon=True).start()

    def run(self) -> int:
        """Wait for the end, record it, and return the launcher's exit code."""
        stopped = self._wait()
        kill_group(self._child.pid)  # what the command left behind
        self._output.finish()
        returned = self._child.returncode
        if not stopped and returned in (0, SUPERSEDED):  # programs look for a successor, too
            stopped = self._fenced()
        cause = stopped or describe(returned, self._output.tail)
        record_exit(self._folder, self._number, returned, cause)
        os.write(self._guard, b"1")
        if stopped:
            return SUPERSEDED if stopped.startswith("superseded") else 128 + signal.SIGTERM
        return returned if returned >= 0 else 128 - returned

    def _wait(self) -> str | None:
        """Until the command has ended; returns why it was stopped, if it was."""
        stopped: str | None = None
        deadline: float | None = None
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                self._output.say("still running after its grace period: killed")
                kill_group(self._child.pid)
                deadline = None
                continue
            if not event:
                return stopped or self._late_reason()
            if stopped is None:
                stopped = event
                self._output.say(event)
                self._child.terminate()
                grace = float(os.environ.get("JOB_GRACE_SECONDS", "25"))
                if event.startswith("Ray"):
                    grace = min(grace, ORPHAN_GRACE_SECONDS)
                deadline = time.monotonic() + grace

    def _late_reason(self) -> str | None:
        """Ray sends SIGTERM to the command too, which may end before the launcher hears of it."""
        patience = LATE_SIGNAL_SECONDS.get(self._child.returncode, 0.0)
        with contextlib.suppress(queue.Empty):
            return self._events.get(timeout=patience)
        return None

    def _fenced(self) -> str | None:
        """An attempt that has a successor has not finished the job, whatever its command says."""
        with contextlib.suppress(Exception):  # no answer: it is taken to be the last one
            return self._superseded if self._folder.exists(self._successor) else None
        return None

    def _wait_for_exit(self) -> None:
        self._child.wait()
        self._events.put("")

    def _watch_successor(self) -> None:
        failing = False
        while True:
            try:
                if self._folder.exists(self._successor):
                    self._events.put(self._superseded)
                    return
                failing = False
            except Exception as error:
                if not failing:
                    self._output.say(f"cannot look for later attempts, will go on: {error}")
                failing = True
            time.sleep(WATCH_SECONDS)

    def _watch_parent(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(WATCH_SECONDS / 4)
        self._events.put("Ray was lost: the process that started the launcher is gone")


def describe(returned: int, tail: bytes) -> str:
    """How the command ended, in words."""
    if returned < 0:
        hint = " (out of memory?)" if -returned == signal.SIGKILL else ""
        return f"killed by signal {-returned}{hint}"
    if returned == 0:
        return DONE
    said = last_words(tail.decode(errors="replace"))
    return f"exit code {returned}: {said}" if said else f"exit code {returned}"


def last_words(text: str) -> str:
    """The error of the last traceback, or else the last line."""
    _, traceback, after = text.rpartition("Traceback (most recent call last):")
    lines = [line for line in after.splitlines() if line.strip()]
    if traceback:
        errors = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(\(\w+\))?(:|$)", line)]
        lines = errors[:1] or lines
    return lines[-1].strip()[:500] if lines else ""


def record_exit(folder: Folder, number: int, returned: int | None, cause: str) -> None:
    code = returned if returned is not None and returned >= 0 else None
    number_of_signal = -returned if returned is not None and returned < 0 else None
    record = {"code": code, "signal": number_of_signal, "cause": cause, "ended": now()}
    try:
        folder.create(f"attempts/{number}/exit.json", json.dumps(record).encode())
    except Exception as error:
        complain(f"the end could not be recorded: {error}")


def attempts_here(uri: str) -> list[int]:
    """Ids of the launchers, guards included, that this machine or container runs for a JOB_DIR."""
    variable = b"JOB_DIR=" + os.fsencode(uri)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            words = (process / "cmdline").read_bytes().split(b"\0")
            # `sh .../launcher -- program`, which becomes `python -I .../launcher -- program`
            is_launcher = any(
                word.endswith(b"/launcher") and after == b"--"
                for word, after in itertools.pairwise(words[1:4])
            )
            if is_launcher and variable in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def stop_attempts(uri: str) -> int:
    """SIGTERM to each of them, and wait until none is left: whoever asks sets a limit to that."""
    told: set[int] = set()
    while left := attempts_here(uri):
        for process in set(left) - told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        told.update(left)
        time.sleep(STOP_POLL_SECONDS)
    return 0


def main(argv: list[str]) -> int:
    if "JOB_DIR" not in os.environ:
        complain("JOB_DIR is not set")
        return NO_FOLDER
    if argv == ["--stop"]:
        return stop_attempts(os.environ["JOB_DIR"])
    if len(argv) < 2 or argv[0] != "--":
        complain("usage: launcher -- <program> [argument ...], or launcher --stop")
        return USAGE
    root = Path(__file__).resolve().parent.parent
    events = signals()
    try:
        folder = open_folder(os.environ["JOB_DIR"])
        number = claim(folder)
    except Exception as error:  # fsspec's stores raise what they like
        complain(f"cannot use JOB_DIR {os.environ['JOB_DIR']}: {error}")
        return NO_FOLDER
    try:
        earlier = done_by(folder, number)
    except Exception as error:  # whatever it is: an attempt that is claimed needs an end on record
        cause = f"cannot read in JOB_DIR {os.environ['JOB_DIR']}: {error}"
        complain(cause)
        record_exit(folder, number, NO_FOLDER, cause)
        return NO_FOLDER
    if earlier is not None:
        leave_out(folder, number, earlier)
        return 0
    try:
        attempt = Attempt(argv[1:], root, folder, number, events)
    except OSError as error:
        cause = f"cannot start {argv[1]}: {error.strerror or error}"
        complain(cause)
        record_exit(folder, number, CANNOT_START, cause)
        return CANNOT_START
    return attempt.run()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # a thread that hangs on a dead store must not hold the process
