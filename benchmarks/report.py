"""How a benchmark's figures are shown: a table for people, one JSON line for machines."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field


def percentile(values: list[float], percent: float) -> float:
    """The value below which `percent` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass
class Report:
    """Figures in the order shown; `notes` say under which conditions they were taken."""

    benchmark: str
    figures: dict[str, float | int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, note: str) -> None:
        """Keep a figure, and say it at once, since some benchmarks take long."""
        self.figures[name] = value if isinstance(value, int) else round(value, 4)
        self.notes[name] = note
        print(f"{self.benchmark}: {name} {self.figures[name]}", file=sys.stderr, flush=True)

    def show(self) -> None:
        """Print the table, then the JSON object as the last line."""
        width = max(len(name) for name in self.figures)
        for name, value in self.figures.items():
            print(f"  {name:<{width}}  {value:>12}  {self.notes[name]}")
        print(json.dumps({"benchmark": self.benchmark, "figures": self.figures}))
