"""The run directory: metrics, checkpoints and results of one attempt, through fsspec."""

import contextlib
import json
import re
from typing import Any

import fsspec

KEPT = 3  # checkpoints of an attempt; a long search has one of some 100 kB every few seconds
CHECKPOINT = re.compile(r"(\d+)\.json")


class RunDirectory:
    """Writes only under its own attempt's number; reads what earlier attempts left.

    Metrics are immutable numbered chunks, since object stores cannot append. A checkpoint gets its
    name by a move, so that one with a name is complete.
    """

    def __init__(self, uri: str, attempt: int) -> None:
        self.uri, self.attempt = uri, attempt
        self.filesystem, root = fsspec.core.url_to_fs(uri)
        self._root = root.rstrip("/")
        self._chunk = self._next_chunk()

    def write_metrics(self, row: dict[str, Any]) -> None:
        """Add one row (step, time in unix seconds, values) as the next chunk."""
        line = json.dumps(row, allow_nan=False) + "\n"
        self.write(f"metrics/{self.attempt}-{self._chunk:06d}.jsonl", line.encode())
        self._chunk += 1

    def write_checkpoint(self, number: int, state: dict[str, Any]) -> None:
        """Keep it and those just before it."""
        folder = f"checkpoints/{self.attempt}"
        self.write(f"{folder}/{number:06d}.json", json.dumps(state).encode())
        old = f"{self._root}/{folder}/{number - KEPT:06d}.json"
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.rm_file(old)

    def newest_checkpoint(self) -> dict[str, Any] | None:
        """State of this or an earlier attempt's newest complete checkpoint, None without any."""
        found = []
        for folder in self.names("checkpoints"):
            if folder.isdigit() and int(folder) <= self.attempt:
                names = self.names(f"checkpoints/{folder}")
                found += [(int(folder), int(m[1])) for n in names if (m := CHECKPOINT.fullmatch(n))]
        if not found:
            return None
        attempt, number = max(found)  # a successor's line counts, however far its predecessor went
        path = f"{self._root}/checkpoints/{attempt}/{number:06d}.json"
        state: dict[str, Any] = json.loads(self.filesystem.cat_file(path))
        return state

    def write_result(self, name: str, content: bytes) -> None:
        self.write(f"results/{name}", content)

    def superseded(self) -> bool:
        """Whether a later attempt has claimed the job, so that this one must end."""
        for folder in self.names("attempts"):
            later = folder.isdigit() and int(folder) > self.attempt
            if later and "claim.json" in self.names(f"attempts/{folder}"):
                return True
        return False

    def names(self, folder: str) -> list[str]:
        """Names in `folder`, also of those made since; empty if there is no such folder."""
        self.filesystem.invalidate_cache()
        try:
            listing = self.filesystem.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rsplit("/", 1)[-1] for path in listing]

    def _next_chunk(self) -> int:
        mine = re.compile(rf"{self.attempt}-(\d+)\.jsonl")
        numbers = [int(m[1]) for name in self.names("metrics") if (m := mine.fullmatch(name))]
        return max(numbers, default=-1) + 1

    def path(self, name: str) -> str:
        """Of a file of the run directory, in `filesystem`."""
        return f"{self._root}/{name}"

    def read(self, name: str) -> bytes:
        content: bytes = self.filesystem.cat_file(self.path(name))
        return content

    def write(self, name: str, content: bytes) -> None:
        """A file that is there as a whole or not at all."""
        path = self.path(name)
        folder, base = path.rsplit("/", 1)
        self.filesystem.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{base}.partial"
        self.filesystem.pipe_file(temporary, content)
        self.filesystem.mv(temporary, path)
