"""The cluster that these tests run against: started here, or found, or given by KUBECONFIG."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from callers import SPACE, connection_to  # lie beside this file
from platform_service import PlatformService
from testbed.attach import is_up, running_layout
from testbed.cluster import Cluster
from testbed.objects import Objects
from testbed.start import Start
from testbed.stop import stop
from testbed.teams import add_teams, clear_team, remove_teams

from ml_platform import PlatformClient

TEST_SECONDS = 600
TEAMS_AT_ONCE = 6
# What a cluster given by KUBECONFIG cannot tell by itself.
_GIVEN = ("ML_PLATFORM_TEST_IMAGE", "ML_PLATFORM_TEST_REPOSITORY", "ML_PLATFORM_TEST_RUNS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test also waits for the cluster, and Ray takes its time.

    Tests with services of their own come last: until then one service goes on from test to test.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
    items.sort(key=lambda item: item.get_closest_marker("own_service") is not None)


def say(text: str) -> None:
    sys.__stderr__ and print(f"cluster: {text}", file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests. One that runs already is used and left as it is."""
    layout = running_layout(say)
    given = os.environ.get("ML_PLATFORM_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG")
    if given and Path(given) != layout.admin_kubeconfig:
        with closing(_given(Path(given), tmp_path_factory.mktemp("kubeconfigs"))) as cluster:
            yield cluster
    elif is_up(layout):
        say(f"using the cluster that is up: {layout.state}")
        with closing(Cluster.of(layout)) as cluster:
            yield cluster
    else:
        with closing(Start(layout, say).run()) as cluster:
            yield cluster
        stop(layout, say)


def _given(kubeconfig: Path, scratch: Path) -> Cluster:
    missing = [name for name in _GIVEN if name not in os.environ]
    if missing:
        pytest.fail(f"with KUBECONFIG={kubeconfig} also set {', '.join(missing)}; see README.md")
    image, repository, runs = (os.environ[name] for name in _GIVEN)
    return Cluster(kubeconfig, image, Path(repository), Path(runs), scratch)


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> Objects:
    """The cluster's objects as an administrator sees and changes them."""
    return cluster.objects


@pytest.fixture(scope="session")
def as_user(cluster: Cluster) -> Iterator[Callable[[str], Objects]]:
    """The same as somebody else would."""
    with ExitStack() as opened:
        yield cache(
            lambda user: opened.enter_context(closing(Objects(cluster.kubeconfig, user=user)))
        )


@pytest.fixture
def real_pods(cluster: Cluster) -> None:
    """For tests of what happens inside of pods."""
    if not cluster.real_pods:
        pytest.skip("real pods cannot run here, kwok plays them")


@pytest.fixture
def own_processes(cluster: Cluster) -> Iterator[None]:
    """For tests of what we started, or that stop or kill a part of it; what is down is started again."""
    if not cluster.components:
        pytest.skip("the cluster was given by KUBECONFIG: its processes are not ours to stop")
    yield
    down = [component for component in cluster.components.values() if not component.running]
    for component in sorted(down, key=lambda component: component.name != "apiserver"):
        component.start()
        component.wait_ready(120)


@pytest.fixture(scope="session")
def new_team(cluster: Cluster) -> Iterator[Callable[[], str]]:
    """Hands out teams that nobody has had. They are made some at a time, which saves minutes."""
    made: list[str] = []
    unused: list[str] = []

    def take() -> str:
        if not unused:
            unused.extend(f"t-{secrets.token_hex(3)}" for _ in range(TEAMS_AT_ONCE))
            made.extend(unused)
            add_teams(cluster, unused)
        return unused.pop()

    yield take
    if made:
        remove_teams(cluster, made)


@pytest.fixture
def team(cluster: Cluster, new_team: Callable[[], str]) -> Iterator[str]:
    """A team of this test alone. It has no quota: it borrows what the others leave."""
    name = new_team()
    yield name
    clear_team(cluster, name)


@pytest.fixture(scope="session")
def service(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlatformService]:
    service = PlatformService(cluster, tmp_path_factory.mktemp("platform"))
    service.record_probe()
    yield service
    service.stop()


@pytest.fixture
def platform(service: PlatformService) -> PlatformService:
    """The platform's service, running, with the probe's image on record."""
    if not service.running:
        service.start()
    return service


@pytest.fixture
def connection(admin: Objects, platform: PlatformService) -> Iterator[None]:
    """The cluster says where the service is; it runs beside the cluster, so by an address."""
    admin.apply(connection_to(address=platform.url))
    yield
    admin.delete("v1", "ConfigMap", "connection", SPACE)


@pytest.fixture
def tools(admin: Objects) -> Iterator[str]:
    """A namespace of nobody's team, with the account `nightly`."""
    name = f"tools-{secrets.token_hex(3)}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = {"name": "nightly", "namespace": name}
    admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    yield name
    admin.delete("v1", "Namespace", name)


@pytest.fixture
def through(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str, str], PlatformClient]:
    """The platform from Python, by the kubeconfig of an account and nothing else."""
    for name in ("SERVER", "TOKEN", "CONTEXT"):
        monkeypatch.delenv(f"ML_PLATFORM_{name}", raising=False)
    monkeypatch.setenv("ML_PLATFORM_HOME", str(tmp_path))

    def client(namespace: str, account: str) -> PlatformClient:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig_of(namespace, account)))
        return PlatformClient()

    return client
