"""`gitops/pools.yaml`: the machines that jobs can ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml_platform.errors import InputError
from ml_platform.file_error import file_error
from ml_platform.job import Label, mebibytes
from ml_platform.yaml_document import from_yaml


@dataclass(frozen=True)
class Machine:
    """Size of the machine that runs the platform: cores, memory in MiB, GPUs."""

    cpu: float
    memory_mib: int
    gpus: int


class Pool(BaseModel):
    """A set of like machines. A local pool has the size of the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Label
    title: str
    description: str = ""
    local: bool = False
    spot: Annotated[
        bool,
        Field(description="As many spot machines again, used before those that always stay."),
    ] = False
    machine_type: str | None = None
    accelerator: str | None = None
    gpus: Annotated[int, Field(ge=0, le=16, description="GPUs per worker's node.")] = 0
    cpu: Annotated[float, Field(ge=0, description="Cores that a node has for a worker.")] = 0
    memory: Annotated[
        str, Field(pattern=r"^[0-9]+(Mi|Gi)$", description="Memory that a node has for a worker.")
    ] = "0Gi"
    max_workers: Annotated[int, Field(ge=1, le=1024)] = 1
    price_per_worker_hour: Annotated[float, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _sized(self) -> Pool:
        if not self.local and (self.cpu <= 0 or mebibytes(self.memory) <= 0):
            raise ValueError(f"pool {self.name}: cpu and memory are missing")
        if self.spot and (self.local or not self.gpus):
            # Heads run on the CPU pools; a head that is taken away ends the attempt of all workers.
            raise ValueError(f"pool {self.name}: spot is for pools of a cluster with GPUs")
        return self

    @property
    def memory_mib(self) -> int:
        return mebibytes(self.memory)

    def sized_by(self, machine: Machine) -> Pool:
        """A local pool with the machine's size; another pool unchanged."""
        if not self.local:
            return self
        return self.model_copy(
            update={
                "cpu": machine.cpu,
                "memory": f"{machine.memory_mib}Mi",
                "gpus": machine.gpus,
                "max_workers": max(1, int(machine.cpu)),
            }
        )


class Pools(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    pools: tuple[Pool, ...]

    @model_validator(mode="after")
    def _unique(self) -> Pools:
        names = [pool.name for pool in self.pools]
        if len(set(names)) != len(names):
            raise ValueError("two pools have the same name")
        return self

    def get(self, name: str) -> Pool:
        """The pool called `name`; raises InputError with those that exist."""
        for pool in self.pools:
            if pool.name == name:
                return pool
        known = ", ".join(pool.name for pool in self.pools)
        raise InputError(f"there is no pool {name!r}", field="pool", hint=f"there are: {known}")

    def sized_by(self, machine: Machine) -> Pools:
        return self.model_copy(update={"pools": tuple(p.sized_by(machine) for p in self.pools)})


def parse_pools(text: bytes) -> Pools:
    """Read the file's content; raises InputError naming the key."""
    try:
        return Pools.model_validate(from_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise file_error("gitops/pools.yaml", "pools.yaml", error) from error
