"""A job's run directory as its training code writes it: attempts, logs, metrics, results.

Read only. Nothing in it is trusted: names are checked, links are not followed out of it, bad lines are
passed over.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_platform.errors import NotFoundError

_CHUNK = re.compile(r"(\d+)-(\d+)\.jsonl\Z")
_LOG = re.compile(r"(\d+)(?:-(\d+))?\.log\Z")
MAX_SUMMARY_BYTES = 256 * 1024
MAX_ROWS = 50_000


class RunDirectory:
    """Files of one job below `path`; the folder may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def attempts(self) -> list[int]:
        """Numbers of the attempts that were claimed."""
        return sorted(
            int(entry.name) for entry in self._entries("attempts") if entry.name.isdigit()
        )

    def log_files(self, attempt: int | None) -> list[Path]:
        """Log files in order, of one attempt or of all."""
        found = []
        for entry in self._entries("logs"):
            match = _LOG.match(entry.name)
            if match and (attempt is None or int(match.group(1)) == attempt):
                found.append(((int(match.group(1)), int(match.group(2) or 0)), entry))
        return [entry for _, entry in sorted(found)]

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

    def summary(self) -> dict[str, Any] | None:
        """`results/summary.json` if it is a JSON object of reasonable size."""
        path = self.path / "results" / "summary.json"
        try:
            if path.stat().st_size > MAX_SUMMARY_BYTES:
                return None
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def results(self) -> list[tuple[str, str, int, datetime]]:
        """`(path, media type, bytes, time)` of every result file."""
        base = self.path / "results"
        found = []
        for file in sorted(base.rglob("*")) if base.is_dir() else []:
            if file.is_symlink() or not file.is_file() or file.name.startswith("."):
                continue
            stat = file.stat()
            media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            name = file.relative_to(base).as_posix()
            found.append((name, media, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)))
        return found

    def result(self, name: str) -> Path:
        """A result file's path; raises NotFoundError for what is not below `results/`."""
        base = (self.path / "results").resolve()
        if "\0" in name:
            raise NotFoundError(f"there is no result {name!r}")
        path = (base / name).resolve()
        if base not in path.parents or not path.is_file():
            raise NotFoundError(f"there is no result {name!r}")
        return path

    def _entries(self, folder: str) -> Iterator[Path]:
        base = self.path / folder
        return iter(base.iterdir()) if base.is_dir() else iter(())

    def _chunks(self) -> list[tuple[int, int, Path]]:
        matches = ((_CHUNK.match(entry.name), entry) for entry in self._entries("metrics"))
        return sorted((int(m.group(1)), int(m.group(2)), entry) for m, entry in matches if m)


def _parse_cursor(cursor: str) -> dict[int, int]:
    seen: dict[int, int] = {}
    for part in filter(None, cursor.split(",")):
        match = re.fullmatch(r"(\d{1,9})-(\d{1,9})", part)
        if match:
            seen[int(match.group(1))] = int(match.group(2))
    return seen


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            # JSON has no NaN, browsers refuse it: such a value is shown as missing.
            yield {k: None if isinstance(v, float) and v - v != 0 else v for k, v in row.items()}
