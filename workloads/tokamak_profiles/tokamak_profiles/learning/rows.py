"""The data set: operating points spread over the domain, each solved by the transport model."""

import io
from dataclasses import dataclass, fields

import numpy as np
import ray
from scipy.stats import qmc

from tokamak_profiles.job.parameters import domain
from tokamak_profiles.learning.compiled import keep_compiled

BATCH = 32  # points per Ray task
HELD_OUT = 5  # each fifth row is never trained on


@dataclass(frozen=True)
class Rows:
    """Solved operating points, one per entry of each array's first axis."""

    points: np.ndarray  # (rows, 8), in the units of workload.yaml
    gradients: np.ndarray  # -a d(ln T)/dr of ions and electrons on the faces, (rows, 2, faces)
    temperature: np.ndarray  # keV on the nodes, (rows, 2, nodes)
    fusion_power: np.ndarray  # MW, (rows,)
    solved: np.ndarray  # whether the balance was met, (rows,)

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **vars(self))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Rows":
        with np.load(io.BytesIO(content)) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    @classmethod
    def joined(cls, parts: "list[Rows]") -> "Rows":
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})

    def chosen(self, which: np.ndarray) -> "Rows":
        """Those rows that `which` (indices or truth values) picks."""
        return Rows(**{name: array[which] for name, array in vars(self).items()})

    def training(self) -> "Rows":
        return self.chosen(self.solved & (np.arange(len(self.solved)) % HELD_OUT != 0))

    def held_out(self) -> "Rows":
        return self.chosen(self.solved & (np.arange(len(self.solved)) % HELD_OUT == 0))


def batches(rows: int, seed: int) -> list[np.ndarray]:
    """Operating points in batches of BATCH, the last one filled up: scrambled Sobol points over the
    domain, so that fewer rows are the beginning of more."""
    low, high = np.array(domain()).T
    count = -(-rows // BATCH)
    unit = qmc.Sobol(len(low), rng=seed).random_base2(int(count * BATCH - 1).bit_length())
    points = (low + (high - low) * unit).astype(np.float32)
    return [points[index * BATCH : (index + 1) * BATCH] for index in range(count)]


def solve_rows(points: np.ndarray) -> Rows:
    """Solve each of `points`, (rows, 8), by JAX in this process."""
    # JAX belongs to workers alone: the driver imports this file and stays small.
    keep_compiled()
    from tokamak_profiles.physics.machine import OperatingPoint
    from tokamak_profiles.physics.solver import TOLERANCE, solve

    found = solve(OperatingPoint(*points.T))
    return Rows(
        points=points,
        gradients=np.asarray(found.gradients),
        temperature=np.asarray(found.temperature),
        fusion_power=np.asarray(found.fusion_power),
        solved=np.asarray(found.mismatch) <= TOLERANCE,
    )


solve_batch = ray.remote(num_cpus=1)(solve_rows)
