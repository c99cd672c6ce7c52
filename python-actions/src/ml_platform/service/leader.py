"""Which replica of the service commits."""

from __future__ import annotations

import socket
from typing import Protocol

from ml_platform.settings import Settings


class Leader(Protocol):
    """Whether this replica may write Git and the clusters, and where the one is that may."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def held(self) -> bool:
        """Asked before every write. True ends before another replica's may begin."""

    def address(self) -> str | None:
        """Where the replica that commits is reached, when it is another one that says so."""


class Alone:
    """The only replica there is: one machine, or a Deployment that is never scaled."""

    def start(self) -> None:
        """Nobody need be asked."""

    def stop(self) -> None:
        """Nobody need be told."""

    def held(self) -> bool:
        return True

    def address(self) -> str | None:
        return None


def leader_of(settings: Settings) -> Leader:
    """The Lease of the settings with clusters; nobody to share with on one machine."""
    if settings.local or not settings.committer_lease:
        return Alone()
    # Imported here: the client of clusters costs a platform on one machine time and memory.
    from ml_platform.cluster.api_client import api_client  # noqa: PLC0415
    from ml_platform.cluster.lease import Lease  # noqa: PLC0415

    namespace, _, name = settings.committer_lease.partition("/")
    # A pod's host name is its own; on one host the port tells replicas apart.
    identity = f"{socket.gethostname()}_{settings.port}"
    return Lease(api_client(settings.argocd), namespace, name, identity, settings.replica_url)
