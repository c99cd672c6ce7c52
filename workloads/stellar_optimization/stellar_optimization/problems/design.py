"""Boundaries and stored designs, in the format of the ConStellaration leaderboard."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIRST_PROBLEM = "geometrical"
DESIGNS = Path(__file__).resolve().parents[2] / "designs"


@dataclass(frozen=True)
class Boundary:
    """A stellarator-symmetric boundary: coefficient tables [m][n + n_max], metres."""

    r_cos: list[list[float]]
    z_sin: list[list[float]]
    n_field_periods: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Boundary":
        """Read the leaderboard's format; raises ValueError for a boundary without that symmetry."""
        if not data.get("is_stellarator_symmetric", False):
            raise ValueError("boundary: only stellarator-symmetric ones can be optimised")
        return cls(data["r_cos"], data["z_sin"], data["n_field_periods"])

    def to_json(self) -> dict[str, Any]:
        """The leaderboard's format."""
        return {
            "r_cos": self.r_cos,
            "z_sin": self.z_sin,
            "n_field_periods": self.n_field_periods,
            "is_stellarator_symmetric": True,
        }


@dataclass(frozen=True)
class Design:
    """A stored boundary, where it comes from, and what the official evaluator said about it."""

    name: str
    boundary: Boundary
    origin: str
    scores: list[dict[str, Any]]

    def score(self, fidelity: str, problem: str = FIRST_PROBLEM) -> float | None:
        """Its official score at `fidelity` for a problem, None where it has none."""
        said = self._said(fidelity, problem)
        return said and said["score"]

    def verdict(self, fidelity: str, problem: str = FIRST_PROBLEM) -> float | str:
        """The same, or in words why it has none."""
        said = self._said(fidelity, problem)
        if said is None:
            return "not evaluated"
        return said["score"] if said["score"] is not None else f"none: {said['error']}"

    def _said(self, fidelity: str, problem: str) -> dict[str, Any] | None:
        """What the evaluator said of it; entries without a problem are about the first one."""
        wanted = fidelity, problem
        found = (
            s for s in self.scores if (s["fidelity"], s.get("problem", FIRST_PROBLEM)) == wanted
        )
        return next(found, None)


def design_names() -> list[str]:
    """Names of the stored designs."""
    return sorted(path.stem for path in DESIGNS.glob("*.json"))


def load_design(name: str) -> Design:
    """The stored design called `name`; raises ValueError with those that exist."""
    path = DESIGNS / f"{name}.json"
    if name not in design_names():
        raise ValueError(f"no design {name!r}; there are: {', '.join(design_names())}")
    data = json.loads(path.read_text(encoding="utf-8"))
    return Design(name, Boundary.from_json(data["boundary"]), data["origin"], data["scores"])
