"""The last lines of several files, without reading them whole."""

from __future__ import annotations

from pathlib import Path

BLOCK = 64 * 1024


def read_block(file: Path, offset: int) -> bytes:
    """The next piece of a file; empty at its end."""
    with file.open("rb") as handle:
        handle.seek(offset)
        return handle.read(BLOCK)


def tail_of(files: list[Path], lines: int) -> list[tuple[Path, int]]:
    """Where to start in each file so that the last `lines` lines of all remain."""
    starts: list[tuple[Path, int]] = []
    missing = lines
    for file in reversed(files):
        start, missing = _last_lines(file, missing)
        starts.append((file, start))
    return starts


def _last_lines(file: Path, lines: int) -> tuple[int, int]:
    """Offset at which the last `lines` lines begin, and how many lines are still missing."""
    end = position = file.stat().st_size
    if lines <= 0:
        return end, 0
    found = 0
    with file.open("rb") as handle:
        while position > 0:
            size = min(BLOCK, position)
            position -= size
            handle.seek(position)
            block = handle.read(size)
            for index in range(size - 1, -1, -1):
                if block[index] == 0x0A and position + index != end - 1:
                    found += 1
                    if found == lines:
                        return position + index + 1, 0
    return 0, lines - found - (1 if end else 0)
