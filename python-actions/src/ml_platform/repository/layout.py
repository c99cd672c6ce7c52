"""Where things lie in the GitOps repository. Paths are made here and nowhere else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

POOLS = "pools.yaml"
TEAMS = "teams"
JOBS = "jobs"
_JOB_FILE = re.compile(r"jobs/([a-z][-a-z0-9]*)/([0-9]{3})/([a-z][-a-z0-9]{0,46})\.yaml\Z")
_ARCHIVE_FILE = re.compile(r"archive/([a-z][-a-z0-9]*)/([0-9]{6})/([a-z][-a-z0-9]{0,46})\.yaml\Z")
_JOBS_FOLDER = re.compile(r"jobs/[^/]+/[^/]+/")
_NOT_JOBS = frozenset({"kustomization", "values"})
# Argo CD takes .argocd-source.yaml and .argocd-source-<application>.yaml as changes of the Application.
_CONTROL_FILE = ".argocd-source"


@dataclass(frozen=True)
class Place:
    """A manifest's place: its job, its team and whether it shall exist."""

    job_id: str
    team: str
    active: bool


def shard(job_id: str, shards: int) -> str:
    """A job's own folder inside its team's: a hash of its id modulo the team's shards."""
    return f"{int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8]) % shards:03d}"


def shards_from(first: str, shards: int) -> list[str]:
    """All folders of a team that has so many, in turn, beginning with `first`."""
    return [f"{(int(first) + number) % shards:03d}" for number in range(shards)]


def jobs_folder(team: str) -> str:
    return f"jobs/{team}"


def job_path(team: str, job_id: str, shards: int) -> str:
    return job_file(team, shard(job_id, shards), job_id)


def job_file(team: str, folder: str, job_id: str) -> str:
    """The file of a job in one of its team's folders, which need not be the one that it belongs in."""
    return f"{jobs_folder(team)}/{folder}/{job_id}.yaml"


def archive_path(team: str, job_id: str, committed_at: datetime) -> str:
    return f"archive/{team}/{committed_at:%Y%m}/{job_id}.yaml"


def team_path(team: str) -> str:
    return f"teams/{team}/team.yaml"


def folder(path: str) -> str | None:
    """The folder of jobs, one Application of Argo CD, that a path lies in; None for other paths."""
    found = _JOBS_FOLDER.match(path)
    return found[0].removesuffix("/") if found else None


def is_control_file(name: str) -> bool:
    """Whether a file of that name tells Argo CD what to do with its folder."""
    return name.startswith(_CONTROL_FILE)


def place(path: str) -> Place | None:
    """What a path of the repository holds; None for everything that is no job's manifest."""
    for pattern, active in ((_JOB_FILE, True), (_ARCHIVE_FILE, False)):
        found = pattern.match(path)
        if found and found.group(3) not in _NOT_JOBS:
            return Place(job_id=found.group(3), team=found.group(1), active=active)
    return None
