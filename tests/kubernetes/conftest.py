from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_platform.cluster.api import KubernetesApi
from ml_platform.settings import ClusterAccess

sys.path.insert(0, str(Path(__file__).parent))

from api_server import ApiServer  # lies beside the tests, which are imported by path


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
