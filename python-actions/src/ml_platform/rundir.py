"""A job's run directory as its training code writes it: attempts, logs, metrics, results.

Read only. Nothing in it is trusted: names are checked, links are not followed out of it, bad lines
are passed over.
"""

from __future__ import annotations

import json
import math
import mimetypes
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from ml_platform.errors import NotFoundError

_CHUNK = re.compile(r"([0-9]{1,9})-([0-9]{1,9})\.jsonl\Z")
_LOG = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?\.log\Z")
MAX_SUMMARY_BYTES = 256 * 1024
MAX_CHUNK_BYTES = 32 * 2**20
MAX_ROWS = 50_000
MAX_RESULTS = 10_000
MAX_DEPTH = 32


class RunDirectory:
    """Files of one job below `path`; the folder may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def attempts(self) -> list[int]:
        """Numbers of the attempts that were claimed."""
        return sorted(
            int(entry.name)
            for entry in self._entries("attempts")
            if re.fullmatch("[0-9]{1,9}", entry.name)
        )

    def log_files(self, attempt: int | None) -> list[Path]:
        """Log files in order, of one attempt or of all."""
        found = []
        for entry in self._entries("logs"):
            match = _LOG.match(entry.name) if _plain(entry) else None
            if match and (attempt is None or int(match.group(1)) == attempt):
                found.append(((int(match.group(1)), int(match.group(2) or 0)), entry))
        return [entry for _, entry in sorted(found)]

    def has_open_attempt(self) -> bool:
        """Whether an attempt was claimed whose end its launcher has not recorded."""
        attempts = [entry for entry in self._entries("attempts") if entry.is_dir()]
        return any(
            (entry / "claim.json").exists() and not (entry / "exit.json").exists()
            for entry in attempts
        )

    def metric_rows(self, after: str = "") -> tuple[list[dict[str, Any]], str]:
        """Rows of the chunks that come after the cursor, and the new cursor.

        A chunk is immutable, so the cursor is the name of the last one read for each attempt.
        """
        seen = _parse_cursor(after)
        rows: list[dict[str, Any]] = []
        for attempt, number, path in self._chunks():
            if number <= seen.get(attempt, -1) or len(rows) >= MAX_ROWS:
                continue
            rows.extend({**row, "attempt": attempt} for row in _json_lines(path))
            seen[attempt] = number
        return rows, ",".join(f"{a}-{n}" for a, n in sorted(seen.items()))

    def last_value(self, name: str) -> Any:
        """The newest value of one metric; None when it was never written."""
        for _, _, path in reversed(self._chunks()):
            for row in reversed(list(_json_lines(path))):
                if row.get(name) is not None:
                    return row[name]
        return None

    def summary(self, max_bytes: int = MAX_SUMMARY_BYTES) -> dict[str, Any] | None:
        """`results/summary.json` if it is a JSON object of reasonable size."""
        return read_object(self._folder("results") / "summary.json", max_bytes)

    def results(self) -> list[tuple[str, str, int, datetime]]:
        """`(path, media type, bytes, time)` of every result file, up to `MAX_RESULTS`."""
        base = self._folder("results")
        found = []
        for file in islice(sorted(base.rglob("*")) if base.is_dir() else [], MAX_RESULTS):
            if file.name.startswith(".") or not _plain(file):
                continue
            stat = file.stat()
            media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            name = file.relative_to(base).as_posix()
            if name.isprintable():  # a name that HTTP cannot carry is no result
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                found.append((name, media, stat.st_size, modified))
        return found

    def result(self, name: str) -> Path:
        """A result file's path; raises NotFoundError for what is not below `results/`."""
        base = self._folder("results")
        try:
            path = (base / name).resolve()
            if base in path.parents and _plain(path):
                return path
        except (OSError, ValueError):  # a name too long, or with NUL
            pass
        raise NotFoundError(f"there is no result {name[:200]!r}")

    def _folder(self, name: str) -> Path:
        """A folder of the run directory, never one that a link leads to elsewhere."""
        base = self.path.resolve()
        folder = (base / name).resolve()
        return folder if base in folder.parents else base / ".none"

    def _entries(self, name: str) -> Iterator[Path]:
        base = self._folder(name)
        return iter(base.iterdir()) if base.is_dir() else iter(())

    def _chunks(self) -> list[tuple[int, int, Path]]:
        matches = ((_CHUNK.match(entry.name), entry) for entry in self._entries("metrics"))
        return sorted(
            (int(m.group(1)), int(m.group(2)), entry) for m, entry in matches if m and _plain(entry)
        )


def _plain(path: Path) -> bool:
    """Whether it is a file itself: a link may lead to another job, a pipe would never end."""
    return path.is_file() and not path.is_symlink()


def read_object(path: Path, max_bytes: int) -> dict[str, Any] | None:
    """The JSON object in a file; None when there is none: what a job wrote may be missing, broken
    or huge, which says nothing and stops nothing."""
    try:
        if not _plain(path) or path.stat().st_size > max_bytes:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return _sayable(content) if isinstance(content, dict) else None


def _sayable(value: Any, depth: int = 0) -> Any:
    """`value` as JSON for everybody: NaN is missing, half a character is a question mark, what is
    nested deeper than writers of JSON follow is left out."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_sayable(key): _sayable(item, depth + 1) for key, item in value.items()}
    return [_sayable(item, depth + 1) for item in value] if isinstance(value, list) else value


def _parse_cursor(cursor: str) -> dict[int, int]:
    seen: dict[int, int] = {}
    for part in filter(None, cursor.split(",")):
        match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", part)
        if match:
            seen[int(match.group(1))] = int(match.group(2))
    return seen


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_CHUNK_BYTES:
            return
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            row = json.loads(line)
            if isinstance(row, dict):
                yield _sayable(row)
        except (ValueError, RecursionError):
            continue
