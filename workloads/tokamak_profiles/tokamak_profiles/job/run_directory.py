"""The run directory: metrics, checkpoints and results of one attempt, through fsspec."""

import json
import re
from typing import Any

import fsspec


class RunDirectory:
    """Writes only under its own attempt's number; reads what earlier attempts left.

    Metrics are immutable numbered chunks, since object stores cannot append. A file gets its name
    by a move, so that one with a name is complete.
    """

    def __init__(self, uri: str, attempt: int) -> None:
        self.uri, self.attempt = uri.rstrip("/"), attempt
        self._files, root = fsspec.core.url_to_fs(uri)
        self._root = root.rstrip("/")

    def write_metrics(self, row: dict[str, Any]) -> None:
        """Add one row (step, time in unix seconds, values) as the next chunk."""
        mine = re.compile(rf"{self.attempt}-(\d+)\.jsonl")
        numbers = [int(m[1]) for name in self._names("metrics") if (m := mine.fullmatch(name))]
        chunk = max(numbers, default=-1) + 1
        line = json.dumps(row, allow_nan=False) + "\n"
        self._write(f"metrics/{self.attempt}-{chunk:06d}.jsonl", line.encode())

    def write_checkpoint(self, name: str, content: bytes) -> None:
        self._write(f"checkpoints/{self.attempt}/{name}", content)

    def write_result(self, name: str, content: bytes) -> None:
        self._write(f"results/{name}", content)

    def checkpoints(self, pattern: str) -> dict[str, tuple[int, int]]:
        """Paths of complete checkpoints of this and earlier attempts -> (attempt, number).

        pattern: what their names match; its group is their number.
        """
        found = {}
        for folder in self._names("checkpoints"):
            if folder.isdigit() and int(folder) <= self.attempt:
                for name in self._names(f"checkpoints/{folder}"):
                    if match := re.fullmatch(pattern, name):
                        found[f"checkpoints/{folder}/{name}"] = (int(folder), int(match[1]))
        return found

    def read(self, path: str) -> bytes:
        """A file of the run directory, `path` being relative to it."""
        content: bytes = self._files.cat_file(f"{self._root}/{path}")
        return content

    def superseded(self) -> bool:
        """Whether a later attempt has claimed the job, so that this one must end."""
        for folder in self._names("attempts"):
            later = folder.isdigit() and int(folder) > self.attempt
            if later and "claim.json" in self._names(f"attempts/{folder}"):
                return True
        return False

    def _names(self, folder: str) -> list[str]:
        """Names in `folder`, also of those made since; empty if there is no such folder."""
        self._files.invalidate_cache()
        try:
            listing = self._files.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rsplit("/", 1)[-1] for path in listing]

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        folder, base = path.rsplit("/", 1)
        self._files.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{base}.partial"
        self._files.pipe_file(temporary, content)
        self._files.mv(temporary, path)
