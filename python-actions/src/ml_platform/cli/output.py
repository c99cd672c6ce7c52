"""Data on stdout, words on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml_platform.service.models import Headline


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Format, typer.Option("--output", "-o", help="What stdout gets: a table for people, or JSON.")
]


def say(text: str) -> None:
    """Words for the person: stderr, never mixed with the data."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_with_time(text: str) -> None:
    """The same for a log."""
    say(f"{datetime.now().astimezone().isoformat(sep=' ', timespec='seconds')} {text}")


def print_line(text: str) -> None:
    """One line of data."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(data: Any) -> None:
    """Data as JSON; models, and lists and dictionaries of them."""
    print_line(json.dumps(data, indent=2, ensure_ascii=False, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A plain table under its titles."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(columns):
        # What is copied from a terminal, the first column, must never be cut.
        table.add_column(title, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(cell)) for cell in row))
    _print(table)


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Names and values below each other; those without a value are left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value not in (None, "", {}, [], ()):
            table.add_row(name, Text(_text(value)))
    _print(table)


def _print(table: Table) -> None:
    if sys.stdout.isatty():
        Console(file=sys.stdout, highlight=False).print(table)
        return
    # Nobody but a program reads it: whole lines, however long, without blanks at their ends.
    text = StringIO()
    Console(file=text, width=1000, highlight=False).print(table)
    for line in text.getvalue().splitlines():
        print_line(line.rstrip())


def duration_text(seconds: float) -> str:
    """`75` → `1m 15s`; at most two units."""
    whole = int(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // smaller}{name}"
    return f"{whole // 60}m {whole % 60}s" if whole >= 60 else f"{whole}s"


def count_of(number: int, thing: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def age(moment: datetime) -> str:
    """How long ago, `3m 5s`."""
    return duration_text(max(0.0, (datetime.now(UTC) - moment).total_seconds()))


def local_time(moment: datetime) -> str:
    """The moment on this machine's clock."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def headline_text(headline: Headline | None) -> str:
    """The figure that says how good a job is: `Official score 0.9712`."""
    if headline is None:
        return ""
    return f"{headline.title} {headline.value:.4g} {headline.unit}".strip()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)
