"""Why a RayJob failed, in a sentence, from what KubeRay keeps of it. Pure."""

from __future__ import annotations

import re
from typing import Any

from ml_platform.cluster.fields import shortened, text

_EXIT = re.compile(r"Job entrypoint command failed with exit code (\d+)")
_DEADLINE = re.compile(r"(Active|PreRunning)DeadlineSeconds: ([0-9]{1,9})")
# What Ray says of a job that is well; a page needs no such line.
_WELL = ("Job is currently running", "Job has not started yet", "Job finished successfully")


def message_of(status: Any) -> str | None:
    """The status's message, if it says more than the phase does."""
    message = text(status, "message")
    return None if not message or message.startswith(_WELL) else message


def cause_of(rayjob: Any) -> str | None:
    """The cause of a failed attempt or job; None where KubeRay names none."""
    status = rayjob.get("status") if isinstance(rayjob, dict) else None
    message = message_of(status)
    if message is None:
        return None
    if late := _DEADLINE.search(message):
        what = "took longer than" if late[1] == "Active" else "its Ray cluster was not ready within"
        return f"{what} {duration(int(late[2]))}"
    if found := _EXIT.match(message):
        lines = [line.strip() for line in message.splitlines()[1:] if line.strip()]
        said = [line for line in lines if not line.startswith("launcher: ")]
        return f"exit code {found[1]}" + (f": {shortened(said[-1])}" if said else "")
    if text(status, "reason") == "SubmissionFailed":
        return f"its Ray cluster was lost, or did not take the program: {shortened(message)}"
    return shortened(message, 1000)


def duration(seconds: float) -> str:
    """`3600` as `1h`."""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{letter}"
    return f"{seconds:g}s"
