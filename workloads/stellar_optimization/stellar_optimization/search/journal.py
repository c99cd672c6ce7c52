"""What one call of SLSQP was told, as JSON data that loses no bit."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from stellar_optimization.search.screening import Screening


@dataclass
class Answer:
    """Screening of one point, None without equilibrium, and its Jacobian once one was asked for."""

    screening: Screening | None
    differentiated: bool = False
    jacobian: np.ndarray | None = None
    solve: int = 0  # its number in the search


def to_json(journal: dict[bytes, Answer]) -> list[dict[str, Any]]:
    """In the order in which SLSQP asked."""
    return [{"x": _text(np.frombuffer(key)), **_entry(answer)} for key, answer in journal.items()]


def from_json(entries: list[dict[str, Any]]) -> dict[bytes, Answer]:
    """Journal of the entries that `to_json` made; its screenings have no equilibrium."""
    journal = {}
    for entry in entries:
        x, screening = _numbers(entry["x"]), None
        if entry["values"] is not None:
            screening = Screening(x, _numbers(entry["values"]), _numbers(entry["official"]))
        jacobian = entry["jacobian"] and _numbers(entry["jacobian"]).reshape(-1, x.size)
        journal[x.tobytes()] = Answer(screening, entry["differentiated"], jacobian, entry["solve"])
    return journal


def _entry(answer: Answer) -> dict[str, Any]:
    point = answer.screening
    return {
        "values": None if point is None else _text(point.values),
        "official": None if point is None else _text(point.official),
        "differentiated": answer.differentiated,
        "solve": answer.solve,
        "jacobian": None if answer.jacobian is None else _text(answer.jacobian),
    }


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, "<f8").tobytes()).decode()


def _numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f8")
