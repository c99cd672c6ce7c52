"""`gitops/teams/<team>/team.yaml`: who pays for jobs."""

from __future__ import annotations

from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_platform.errors import InputError
from ml_platform.file_error import file_error
from ml_platform.job import Label
from ml_platform.yaml_document import from_yaml


class Team(BaseModel):
    """A team; its members are those of the catalog group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Label
    title: str
    group: Annotated[
        str, Field(pattern=r"^group:[a-z0-9_-]+/[a-zA-Z0-9._-]+$", description="Catalog group.")
    ]
    shards: Annotated[
        int,
        Field(ge=1, le=256, description="Folders its jobs are spread over; raise past 300 active."),
    ] = 1


def parse_team(text: bytes, folder: str) -> Team:
    """Read one team's file; raises InputError naming the folder."""
    try:
        team = Team.model_validate(from_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise file_error(f"teams/{folder}/team.yaml", folder, error) from error
    if team.name != folder:
        raise InputError(f"teams/{folder}/team.yaml: name must be {folder!r}", field=folder)
    return team
