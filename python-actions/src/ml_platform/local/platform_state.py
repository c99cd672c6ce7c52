"""What `up` is running, in a file that `status`, `down` and the next `up` read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ml_platform.errors import ConflictError
from ml_platform.local.process_tree import ProcessId, find

Condition = Literal["starting", "ready", "waiting to restart", "stopped"]


class ProgramState(BaseModel):
    """One supervised program. `since`: unix seconds of its last start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    condition: Condition
    port: int
    process: ProcessId | None
    since: float
    restarts: int
    log: str
    tree: tuple[ProcessId, ...] = ()


class PlatformState(BaseModel):
    """The supervisor and its programs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    supervisor: ProcessId
    programs: tuple[ProgramState, ...] = ()

    @property
    def ready(self) -> bool:
        return bool(self.programs) and all(p.condition == "ready" for p in self.programs)

    @property
    def running(self) -> bool:
        return find(self.supervisor) is not None

    def processes(self) -> set[ProcessId]:
        """All that was started, whether it still lives or not."""
        found = {process for program in self.programs for process in program.tree}
        return found | {program.process for program in self.programs if program.process}


def state_file(state_dir: Path) -> Path:
    return state_dir / "up.json"


def read_state(state_dir: Path) -> PlatformState | None:
    """What was written last, or None when nothing was (or nothing that can be read)."""
    try:
        return PlatformState.model_validate_json(state_file(state_dir).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write_state(state_dir: Path, state: PlatformState) -> None:
    path = state_file(state_dir)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(state.model_dump_json())
    temporary.replace(path)


@contextmanager
def only_supervisor(state_dir: Path) -> Iterator[None]:
    """One `up` per state folder: a lock that ends with its holder; raises ConflictError."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            state = read_state(state_dir)
            pid = f" (pid {state.supervisor.pid})" if state else ""
            raise ConflictError(
                f"the platform of {state_dir} is running already{pid}",
                hint="see `ml-platform status`; stop it with `ml-platform down`",
            ) from error
        yield
