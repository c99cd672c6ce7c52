"""`gitops/teams/<team>/team.yaml`: who pays for jobs."""

from __future__ import annotations

from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ml_platform.errors import InputError
from ml_platform.file_error import file_error
from ml_platform.job import Label
from ml_platform.yaml_document import from_yaml

# A team's name is its namespace's: these hold the platform or Kubernetes itself.
_TAKEN = frozenset({"argocd", "default", "kueue-system", "ml-platform", "ray-system"})


class Team(BaseModel):
    """A team; its members are those of the catalog group."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Label
    title: str
    group: Annotated[
        str, Field(pattern=r"^group:[a-z0-9_-]+/[a-zA-Z0-9._-]+$", description="Catalog group.")
    ]
    shards: Annotated[
        int,
        Field(ge=1, le=256, description="Folders its jobs are spread over; see docs/scale.md."),
    ] = 1
    quota: Annotated[
        dict[Label, Annotated[int, Field(ge=1, le=1024)]],
        Field(description="Workers per pool that are the team's whenever it asks for them."),
    ] = {}
    budget: Annotated[
        float | None,
        Field(
            ge=0, description="What its jobs may cost in a month, in the currency of pools.yaml."
        ),
    ] = None
    weight: Annotated[
        float,
        Field(ge=0.01, le=1000, description="Its part of what nobody's quota holds, in a contest."),
    ] = 1
    cluster: Annotated[
        Label,
        Field(description="Where its jobs run, by the name that Argo CD has for the cluster."),
    ] = "in-cluster"

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in _TAKEN or value.startswith("kube-"):
            raise ValueError(f"{value!r} is a namespace of the platform; choose another name")
        return value


def parse_team(text: bytes, folder: str) -> Team:
    """Read one team's file; raises InputError naming the folder."""
    try:
        team = Team.model_validate(from_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise file_error(f"teams/{folder}/team.yaml", folder, error) from error
    if team.name != folder:
        raise InputError(f"teams/{folder}/team.yaml: name must be {folder!r}", field=folder)
    return team
