from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_platform.cluster.api import KubernetesApi
from ml_platform.settings import ClusterAccess

sys.path.insert(0, str(Path(__file__).parent))

# These lie beside the tests, which are imported by path.
from api_server import ApiServer
from cluster_world import ClusterWorld


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.stop()


@pytest.fixture
def access(server: ApiServer, tmp_path: Path) -> ClusterAccess:
    return ClusterAccess(kubeconfig=server.kubeconfig(tmp_path))


@pytest.fixture
def api(access: ClusterAccess) -> Iterator[KubernetesApi]:
    api = KubernetesApi(access, "one")
    yield api
    api.close()


@pytest.fixture
def world(server: ApiServer, tmp_path: Path) -> Iterator[ClusterWorld]:
    world = ClusterWorld(server, tmp_path)
    yield world
    world.stop()
