"""A clone of the GitOps repository: its generated files brought in line with what people edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ml_platform.errors import NotFoundError
from ml_platform.pools import parse_pools
from ml_platform.repository import layout
from ml_platform.team import Team, parse_team
from ml_platform.team_files import QUEUES, first_files, generated_files


@dataclass(frozen=True)
class Change:
    """A file to write, or (content None) to remove, so that the folder is in line."""

    path: str
    content: str | None


def changes(folder: Path) -> list[Change]:
    """What is out of date in a clone; raises InputError naming the file and line that is wrong."""
    teams = _teams(folder)
    pools = parse_pools(_read(folder / layout.POOLS))
    wanted = generated_files(pools, teams)
    for team in teams:
        wanted |= {
            path: text for path, text in first_files(team).items() if not (folder / path).is_file()
        }
    stale = [Change(path, None) for path in _generated_queues(folder) if path not in wanted]
    return stale + [
        Change(path, text)
        for path, text in sorted(wanted.items())
        if not (folder / path).is_file() or (folder / path).read_text("utf-8") != text
    ]


def apply(folder: Path, found: list[Change]) -> None:
    """Make the changes in the folder."""
    for change in found:
        path = folder / change.path
        if change.content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change.content, encoding="utf-8")


def _teams(folder: Path) -> list[Team]:
    files = sorted((folder / layout.TEAMS).glob("*/team.yaml"))
    return [parse_team(_read(file), file.parent.name) for file in files]


def _generated_queues(folder: Path) -> list[str]:
    """The files of a folder that nobody else writes to."""
    found = (folder / QUEUES).glob("*/*.yaml")
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{path} is missing", hint="give a clone of the GitOps repository with --folder"
        ) from error
