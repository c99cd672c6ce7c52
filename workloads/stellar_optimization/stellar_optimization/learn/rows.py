"""Forward solves as labelled rows: Parquet chunks below `rows/` of the run directory.

A chunk is what one slice of one search solved, and its name follows from the search and the slice alone.
It is written before the checkpoint that counts the slice: whoever continues after a kill in between solves
the same again and writes the same chunk again. So no row is lost and none is there twice.
"""

import io
import json
from dataclasses import dataclass
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stellar_optimization.learn.coefficients import free_modes

FOLDER = "rows"
COLUMNS = [
    ("search", pa.string()),
    ("origin", pa.string()),
    ("stage", pa.int32()),
    ("solve", pa.int32()),
    ("worker", pa.int32()),
    ("n_field_periods", pa.int32()),
    ("modes", pa.int32()),
    ("r_cos", pa.list_(pa.float64())),
    ("z_sin", pa.list_(pa.float64())),
    ("solved", pa.bool_()),
]


@dataclass(frozen=True)
class Row:
    """One forward solve.

    search: name of the search; origin: those whose designs its stage began from, separated by commas,
    `job/search` if of other jobs; itself unless it went on from another's. solve: counted from 1 in its
    search. r_cos, z_sin: tables [m][n + modes] of the boundary (m), row by row. values: the metrics, None
    without an equilibrium; jacobian: d metrics / d (r_cos, z_sin) per metre, row by row, 0 for
    coefficients that the search leaves alone, None where it was not asked for.
    """

    search: str
    origin: str
    stage: int
    solve: int
    worker: int
    n_field_periods: int
    modes: int
    r_cos: list[float]
    z_sin: list[float]
    values: list[float] | None
    jacobian: list[float] | None = None


def spread(jacobian: np.ndarray, scale: np.ndarray, modes: int) -> list[float]:
    """A Row's `jacobian` from one by the free coefficients divided by `scale`, (metrics, 2 free)."""
    m, n = free_modes(modes)
    table = np.zeros((len(jacobian), 2, modes + 1, 2 * modes + 1))
    by_coefficient = (jacobian / scale).reshape(len(jacobian), 2, -1)
    table[:, :, m, n + modes] = by_coefficient
    flat: list[float] = table.ravel().tolist()
    return flat


def chunk_name(search: str, piece: int) -> str:
    """Of a search's slice `piece`, relative to the run directory."""
    return f"{FOLDER}/{search}/{piece:06d}.parquet"


def chunk(rows: list[Row], problem: str, metrics: list[str]) -> bytes:
    """Parquet file of the rows; a column for each metric, whose names are also in its metadata."""
    plain = [vars(row) for row in rows]
    data: dict[str, Any] = {name: [row[name] for row in plain] for name, _ in COLUMNS[:-1]}
    data["solved"] = [row.values is not None for row in rows]
    for index, name in enumerate(metrics):
        data[name] = [None if row.values is None else row.values[index] for row in rows]
    data["jacobian"] = [row.jacobian for row in rows]
    fields = [*COLUMNS, *((name, pa.float64()) for name in metrics)]
    fields.append(("jacobian", pa.list_(pa.float64())))
    described = {"problem": problem, "metrics": json.dumps(metrics)}
    table = pa.table(data, schema=pa.schema(fields, metadata=described))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_rows(uri: str) -> list[pa.Table]:
    """The chunks of the run directory `uri`, in the order of searches and slices; empty without any."""
    files, root = fsspec.core.url_to_fs(uri)
    try:
        paths = sorted(files.find(f"{root.rstrip('/')}/{FOLDER}"))
    except FileNotFoundError:
        return []
    whole = [path for path in paths if _complete(path)]
    if not whole:
        return []
    contents = files.cat(whole)  # at once: on an object store one by one takes minutes
    return [_read(contents[path]) for path in whole]


def _read(content: bytes) -> pa.Table:
    """Without Arrow's threads: one that still runs when Python ends aborts the process, and so a job."""
    with pq.ParquetFile(io.BytesIO(content), pre_buffer=False) as file:
        return file.read(use_threads=False)


def _complete(path: str) -> bool:
    """Not the draft of a chunk that a kill left behind."""
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".parquet") and not name.startswith(".")


def metric_names(table: pa.Table) -> list[str]:
    names: list[str] = json.loads(table.schema.metadata[b"metrics"])
    return names


def problem_name(table: pa.Table) -> str:
    name: str = table.schema.metadata[b"problem"].decode()
    return name
