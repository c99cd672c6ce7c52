"""The rows of finished jobs as arrays, split so that no design's relatives are on both sides."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa

from stellar_optimization.learn.coefficients import feature_scale, features, free_modes
from stellar_optimization.learn.rows import metric_names, problem_name, read_rows

HELD_OUT, HELD_OUT_SHARE = -1, 0.2
LEAST_LINEAGES = 3  # one to learn from, one to stop by, one to be judged by
LEAST_SOLVED = 30


class NoData(ValueError):
    """What the job was to learn from is not there; names the parameter."""


@dataclass(frozen=True)
class Dataset:
    """One entry per distinct boundary.

    inputs (rows, features): scaled coefficients, then field periods; values (rows, metrics), NaN without
    equilibrium; solved (rows,); slopes (known, metrics, features - 1): d metrics / d scaled coefficients
    of the rows `slope_rows` (known,); lineage (rows,): names of families of related designs.
    """

    problem: str
    metrics: list[str]
    modes: int
    inputs: np.ndarray
    values: np.ndarray
    solved: np.ndarray
    slopes: np.ndarray
    slope_rows: np.ndarray
    lineage: np.ndarray

    def part(self, rows: np.ndarray) -> "Dataset":
        """Only the rows of the mask."""
        position = np.cumsum(rows) - 1
        kept = rows[self.slope_rows]
        return Dataset(
            self.problem,
            self.metrics,
            self.modes,
            self.inputs[rows],
            self.values[rows],
            self.solved[rows],
            self.slopes[kept],
            position[self.slope_rows[kept]],
            self.lineage[rows],
        )


@dataclass(frozen=True)
class Archive:
    """What jobs have solved of one problem. aside: how many of their rows do not fit, by reason."""

    dataset: Dataset
    aside: dict[str, int]


def job_directories(own: str, jobs: Sequence[str]) -> dict[str, str]:
    """Run directories of finished jobs, which lie beside the `own`, by job; NoData for an unknown one."""
    base = own.rstrip("/").rsplit("/", 1)[0]
    files, root = fsspec.core.url_to_fs(base)
    found = {}
    for job in jobs:
        folder = f"{root.rstrip('/')}/{job}"
        if not files.exists(folder):
            raise NoData(f"rows_from: there is no job {job!r} beside this one; check its name")
        if not files.exists(f"{folder}/results/summary.json"):
            raise NoData(f"rows_from: job {job!r} has not finished; wait for it or leave it out")
        found[job] = f"{base}/{job}"
    return found


def finished_jobs(own: str) -> list[str]:
    """All finished jobs beside the `own` run directory that wrote rows."""
    base, mine = own.rstrip("/").rsplit("/", 1)
    files, root = fsspec.core.url_to_fs(base)
    names = [path.rstrip("/").rsplit("/", 1)[-1] for path in files.ls(root, detail=False)]
    return [name for name in sorted(names) if name != mine and _has_rows(files, root, name)]


def _has_rows(files: Any, root: str, job: str) -> bool:
    folder = f"{root.rstrip('/')}/{job}"
    return bool(files.exists(f"{folder}/results/summary.json") and files.exists(f"{folder}/rows"))


def load(directories: dict[str, str], problem: str) -> Archive:
    """Rows of the run directories (by job) that solved `problem`.

    NoData when there are none or too few to learn from.
    """
    if not directories:
        raise NoData("rows_from: no finished job has written any rows yet")
    chunks = [(job, chunk) for job, uri in sorted(directories.items()) for chunk in read_rows(uri)]
    silent = sorted(directories.keys() - {job for job, _ in chunks})
    if silent:
        raise NoData(f"rows_from: job {silent[0]!r} has written no rows")
    kept, aside = _fitting(chunks, problem)
    said = f"; left aside: {in_words(aside)}" if aside else ""
    if not kept:
        raise NoData(f"rows_from: the jobs have no rows of the problem {problem}{said}")
    dataset = _arrays(kept)
    lineages = len(set(dataset.lineage))
    if lineages < LEAST_LINEAGES or dataset.solved.sum() < LEAST_SOLVED:
        raise NoData(
            f"rows_from: {int(dataset.solved.sum())} solved rows of {lineages} independent searches; at least"
            f" {LEAST_SOLVED} of {LEAST_LINEAGES} are needed: name more jobs{said}"
        )
    return Archive(dataset, aside)


def in_words(aside: dict[str, int]) -> str:
    """Rows that were left aside, for people."""
    return ", ".join(f"{count} rows {reason}" for reason, count in sorted(aside.items()))


def _fitting(
    chunks: list[tuple[str, pa.Table]], problem: str
) -> tuple[list[tuple[str, pa.Table]], dict[str, int]]:
    """Chunks that say the same of the problem, and rows of the others by what is wrong with them.

    Versions of this code may have measured different metrics: those with most rows are taken.
    """
    sizes: Counter[tuple[str, ...]] = Counter()
    for _, chunk in chunks:
        if problem_name(chunk) == problem:
            sizes[tuple(metric_names(chunk))] += chunk.num_rows
    wanted = max(sizes, key=lambda names: (sizes[names], names), default=())
    kept, aside = [], Counter[str]()
    for job, chunk in chunks:
        if problem_name(chunk) != problem:
            aside[f"of the problem {problem_name(chunk)}"] += chunk.num_rows
        elif tuple(metric_names(chunk)) != wanted:
            aside["with other metrics than most"] += chunk.num_rows
        else:
            kept.append((job, chunk))
    return kept, dict(aside)


def _arrays(parts: list[tuple[str, pa.Table]]) -> Dataset:
    names = metric_names(parts[0][1])
    modes = max(max(chunk["modes"].to_pylist()) for _, chunk in parts)
    relatives = _families((job, s, o) for job, chunk in parts for s, o in _origins(chunk))
    seen: set[bytes] = set()
    inputs, values, slopes, slope_rows, lineage = [], [], [], [], []
    for job, chunk in parts:
        for row in chunk.to_pylist():
            vector = _input(row, modes)
            if vector.tobytes() in seen:  # searches of one start begin with the same solve
                continue
            seen.add(vector.tobytes())
            if row["jacobian"] is not None:
                slopes.append(_slope(row, len(names), modes))
                slope_rows.append(len(inputs))
            inputs.append(vector)
            values.append([row[name] if row["solved"] else np.nan for name in names])
            lineage.append(relatives[job, row["search"]])
    values_array = np.array(values)
    return Dataset(
        problem_name(parts[0][1]),
        names,
        modes,
        np.array(inputs),
        values_array,
        ~np.isnan(values_array).any(1),
        np.array(slopes).reshape(-1, len(names), len(feature_scale(modes))),
        np.array(slope_rows, int),
        np.array(lineage),
    )


def _origins(chunk: pa.Table) -> set[tuple[str, str]]:
    pairs = set(zip(chunk["search"].to_pylist(), chunk["origin"].to_pylist(), strict=True))
    return {(search, origin) for search, several in pairs for origin in several.split(",")}


def _families(links: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], str]:
    """Name of the family of each (job, search): searches that went on from each other's designs are one."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(member: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(member, member) != member:
            member = parent[member]
        return member

    for job, search, origin in sorted(links):
        first, second = sorted((root((job, search)), root(_search(job, origin))))
        parent[second] = first
    return {member: "/".join(root(member)) for member in parent}


def _search(job: str, name: str) -> tuple[str, str]:
    """A search of the job, unless the name says of which one: `job/search`."""
    other, _, search = name.rpartition("/")
    return (other or job, search)


def _input(row: dict[str, Any], modes: int) -> np.ndarray:
    shape = (1, row["modes"] + 1, 2 * row["modes"] + 1)
    r_cos, z_sin = np.reshape(row["r_cos"], shape), np.reshape(row["z_sin"], shape)
    return np.append(features(r_cos, z_sin, modes)[0], float(row["n_field_periods"]))


def _slope(row: dict[str, Any], metrics: int, modes: int) -> np.ndarray:
    """(metrics, features without field periods); 0 for modes that the row's search left alone."""
    own = row["modes"]
    table = np.reshape(row["jacobian"], (metrics, 2, own + 1, 2 * own + 1))
    m, n = free_modes(modes)
    inside = (m <= own) & (abs(n) <= own)
    wide = np.zeros((metrics, 2, len(m)))
    wide[:, :, inside] = table[:, :, m[inside], n[inside] + own]
    return wide.reshape(metrics, -1) * feature_scale(modes)


def split(lineage: np.ndarray, most_folds: int) -> np.ndarray:
    """Fold of each row (rows,), whole families each; HELD_OUT for those that nothing may learn from.

    Families are dealt out in the order of a hash of their names. At least two folds: each member of an
    ensemble stops by one of them and learns from the others.
    """
    names, counts = np.unique(lineage, return_counts=True)
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    left = sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest())
    chosen = _some(left, sizes, HELD_OUT_SHARE * len(lineage))
    folds = dict.fromkeys(chosen, HELD_OUT)
    left = [name for name in left if name not in chosen]
    filled = [0] * max(2, min(most_folds, len(left)))
    for name in left:
        fold = filled.index(min(filled))
        folds[name] = fold
        filled[fold] += sizes[name]
    return np.array([folds[str(name)] for name in lineage])


def _some(names: list[str], sizes: dict[str, int], wanted: float) -> list[str]:
    """The first names with about `wanted` rows together, without any that is far too large."""
    chosen: list[str] = []
    taken = 0
    for name in names:
        if taken < wanted and taken + sizes[name] <= 1.5 * wanted:
            chosen.append(name)
            taken += sizes[name]
    return chosen or [min(names, key=lambda name: sizes[name])]
