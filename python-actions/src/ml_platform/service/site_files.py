"""What people write in Git, as `main` has it; read again only when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ml_platform.errors import InputError, MlPlatformError
from ml_platform.local.machine import machine
from ml_platform.pools import Pools, parse_pools
from ml_platform.repository import layout
from ml_platform.repository.git import GitopsRepository
from ml_platform.team import Team, parse_team


@dataclass(frozen=True)
class Teams:
    """The teams that can be read, and why the others cannot: one bad file stops one team."""

    known: Mapping[str, Team]
    broken: Mapping[str, MlPlatformError]


class SiteFiles:
    def __init__(self, repository: GitopsRepository) -> None:
        self._repository = repository
        self._pools: tuple[str, Pools] | None = None
        self._teams: tuple[str | None, Teams] | None = None
        self._parsed = lru_cache(16)(lambda oid: parse_pools(repository.read(oid)))
        self._control_files: tuple[str | None, dict[str, list[str]]] = (None, {})

    def pools(self) -> Pools:
        """`pools.yaml`, local pools with this machine's size; raises InputError naming the key."""
        head = self._repository.head()
        oid = self._repository.oid(head, layout.POOLS)
        if oid is None:
            raise InputError("gitops/pools.yaml is missing", field="pools.yaml")
        if self._pools is None or self._pools[0] != oid:
            content = self._repository.read_path(head, layout.POOLS)
            self._pools = (oid, parse_pools(content).sized_by(machine()))
        return self._pools[1]

    def pools_at(self, commit: str) -> Pools:
        """The same as it was at a commit, for what does not depend on this machine."""
        oid = self._repository.oid(commit, layout.POOLS)
        if oid is None:
            raise InputError("gitops/pools.yaml is missing", field="pools.yaml")
        return self._parsed(oid)

    def teams(self) -> Teams:
        head = self._repository.head()
        oid = self._repository.oid(head, layout.TEAMS)
        if self._teams is None or self._teams[0] != oid:
            self._teams = (oid, self._read_teams(head))
        return self._teams[1]

    def control_files(self) -> Mapping[str, list[str]]:
        """Files that tell Argo CD what to do with a folder of jobs, by team; there should be none."""
        head = self._repository.head()
        oid = self._repository.oid(head, layout.JOBS)
        of, found = self._control_files
        if of != oid:
            found = self._repository.control_files(head)
            self._control_files = (oid, found)
        return found

    def _read_teams(self, head: str) -> Teams:
        known: dict[str, Team] = {}
        broken: dict[str, MlPlatformError] = {}
        for name in self._repository.folders(head, layout.TEAMS):
            try:
                content = self._repository.read_path(head, layout.team_path(name))
                known[name] = parse_team(content, name)
            except MlPlatformError as error:
                broken[name] = error
        return Teams(known, broken)
