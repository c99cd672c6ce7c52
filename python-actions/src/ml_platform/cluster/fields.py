"""Reading objects of an API server, which may be of any shape: what is not there is empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Object = dict[str, Any]


def mapping(value: Any, *path: str) -> Object:
    """The mapping at `path` below `value`; empty when there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def entries(value: Any, *path: str) -> list[Object]:
    """The mappings in the list at `path`."""
    found = mapping(value, *path[:-1]).get(path[-1])
    items = found if isinstance(found, list | tuple) else []
    return [dict(item) for item in items if isinstance(item, Mapping)]


def text(value: Any, *path: str) -> str:
    """The text at `path`; empty when there is none."""
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def count(value: Any, *path: str) -> int:
    """The whole number at `path`, if there is a positive one; else 0."""
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def condition(value: Any, kind: str) -> Object:
    """The condition of a type in `status.conditions`."""
    for found in entries(value, "status", "conditions"):
        if found.get("type") == kind:
            return found
    return {}


def holds(value: Any, kind: str) -> bool:
    """Whether a condition is true."""
    return condition(value, kind).get("status") == "True"


def moment(value: str) -> datetime | None:
    """A time as the API server writes it."""
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def shortened(message: str, limit: int = 400) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(message.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
