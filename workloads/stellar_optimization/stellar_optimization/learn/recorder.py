"""The driver's side of the rows: what workers solved becomes chunks of the run directory."""

from dataclasses import dataclass
from typing import Any

from stellar_optimization.learn.rows import Row, chunk, chunk_name
from stellar_optimization.run.run_directory import RunDirectory


@dataclass(frozen=True)
class Place:
    """Where in a job solves belong: name of the search, and of the one it went on from, stage, worker."""

    search: str
    origin: str
    stage: int
    worker: int


class Recorder:
    """Writes the rows of one job.

    The last solve of a slice is held back until the next: its Jacobian may be asked for only then. The
    caller keeps the held row in its checkpoint, so that a chunk is the same whoever writes it.
    """

    def __init__(self, files: RunDirectory, problem: str) -> None:
        self._files, self._problem = files, problem

    def slice(
        self, place: Place, number: int, held: dict[str, Any] | None, result: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Write what slice `number` of a search brought, and returns the row that is held now.

        Takes `rows`, `late_jacobians` and `metrics` out of the worker's `result`.
        """
        fresh, late = result.pop("rows"), result.pop("late_jacobians")
        metrics = result.pop("metrics")
        if held is not None and held["row"]["solve"] in late:
            row = {**held["row"], "jacobian": late[held["row"]["solve"]]}
            held = {**held, "row": row}
        if not fresh:
            return held
        rows = [{**vars(place), **row} for row in fresh]
        before = [held["row"]] if held else []
        self._write(place.search, number, [*before, *rows[:-1]], metrics)
        return {"row": rows[-1], "metrics": metrics}

    def end(self, search: str, number: int, held: dict[str, Any] | None) -> None:
        """Write the row that was still held when the search ended after `number` slices."""
        if held is not None:
            self._write(search, number, [held["row"]], held["metrics"])

    def _write(
        self, search: str, number: int, rows: list[dict[str, Any]], metrics: list[str]
    ) -> None:
        if rows:
            content = chunk([Row(**row) for row in rows], self._problem, metrics)
            self._files.write(chunk_name(search, number), content)
