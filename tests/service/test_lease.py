"""One replica commits: the Lease is taken, kept, lost and given back, and never held by two."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server_double import ApiServerDouble
from hypothesis import given
from hypothesis import strategies as st

from ml_platform.cluster.lease import DURATION, RENEW, Lease

PATH = "/apis/coordination.k8s.io/v1/namespaces/ml-platform/leases/committer"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServerDouble]:
    server = ApiServerDouble()
    yield server
    server.close()


@pytest.fixture
def api(server: ApiServerDouble) -> Iterator[ApiServerDouble]:
    server.objects.clear()
    yield server
    server.answer_all = None
    server.before_write = lambda: None


class Replicas:
    """Two replicas with one clock, which only the test moves."""

    def __init__(self, api: ApiServerDouble, folder: Path) -> None:
        self.clock = Clock()
        self._client = api.client(folder)
        self.leases = [self.lease(name) for name in ("one", "two")]

    def lease(self, name: str) -> Lease:
        address = f"http://{name}"
        return Lease(self._client, "ml-platform", "committer", name, address, self.clock)

    @property
    def held(self) -> list[bool]:
        return [lease.held() for lease in self.leases]

    def after(self, seconds: float, *who: int) -> list[bool]:
        """Let time pass, then let some replicas look."""
        self.clock.now += seconds
        for number in who:
            self.leases[number].step()
        return self.held


@pytest.fixture
def replicas(api: ApiServerDouble, tmp_path: Path) -> Replicas:
    return Replicas(api, tmp_path)


def test_the_first_takes_it_and_the_other_knows_where_that_is(replicas: Replicas):
    assert replicas.after(0, 0, 1) == [True, False]
    assert replicas.leases[1].address() == "http://one"
    assert replicas.leases[0].address() is None


def test_it_is_kept_by_renewing_however_long(replicas: Replicas):
    replicas.after(0, 0, 1)
    for _ in range(20):
        assert replicas.after(RENEW, 0, 1) == [True, False]


def test_a_replica_that_falls_silent_stops_before_another_begins(replicas: Replicas):
    replicas.after(0, 0, 1)
    states = [replicas.after(1, 1) for _ in range(int(DURATION) + 1)]
    assert states[8] == [True, False]
    assert states[9] == [False, False]  # 10 s after its last renewal: five before the other may
    assert states[-2] == [False, True]
    assert replicas.after(0, 0) == [False, True]
    assert replicas.leases[0].address() == "http://two"


def test_a_cluster_that_does_not_answer_ends_it_in_time(
    replicas: Replicas, api: ApiServerDouble, caplog: pytest.LogCaptureFixture
):
    replicas.after(0, 0, 1)
    api.answer_all = (503, {})
    assert replicas.after(RENEW, 0, 1) == [True, False]
    assert replicas.after(RENEW, 0, 1) == [False, False]
    assert "the Lease cannot be used: 503" in caplog.text
    api.answer_all = None
    assert replicas.after(1, 0, 1) == [True, False]


def test_it_is_given_back_at_a_stop_so_that_nobody_waits(replicas: Replicas):
    replicas.after(0, 0, 1)
    replicas.leases[0].stop()
    assert replicas.held == [False, False]
    assert replicas.after(0.1, 1) == [False, True]


def test_a_replica_that_was_started_again_goes_on_at_once(replicas: Replicas):
    replicas.after(0, 0, 1)
    replicas.leases[0] = replicas.lease("one")
    assert replicas.after(1, 0, 1) == [True, False]


def test_of_two_that_make_it_at_once_one_succeeds(replicas: Replicas, api: ApiServerDouble):
    both = threading.Barrier(2)
    api.before_write = lambda: both.wait(10) and None
    threads = [threading.Thread(target=lease.step) for lease in replicas.leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replicas.held) == [False, True]


def test_of_two_that_take_it_at_once_one_succeeds(replicas: Replicas, api: ApiServerDouble):
    ended = {"holderIdentity": "", "leaseDurationSeconds": 15, "leaseTransitions": 4}
    api.objects[PATH] = {
        "metadata": {"name": "committer", "resourceVersion": "0"},
        "spec": ended,
    }
    both = threading.Barrier(2)
    api.before_write = lambda: both.wait(10) and None
    threads = [threading.Thread(target=lease.step) for lease in replicas.leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replicas.held) == [False, True]
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 5


def test_what_others_left_there_is_waited_for_in_full(replicas: Replicas, api: ApiServerDouble):
    """The record's own time is not looked at: clocks of machines differ."""
    api.objects[PATH] = {
        "metadata": {"name": "committer", "resourceVersion": "0"},
        "spec": {
            "holderIdentity": "gone",
            "leaseDurationSeconds": 30,
            "renewTime": "2020-01-01T00:00:00.000001Z",
        },
    }
    replicas.after(0, 0)
    assert replicas.after(29, 0) == [False, False]
    assert replicas.after(1, 0) == [True, False]


@given(
    moves=st.lists(
        st.tuples(
            st.floats(0, 8), st.sampled_from([(0,), (1,), (0, 1), (1, 0), ()]), st.booleans()
        ),
        max_size=30,
    )
)
def test_two_never_hold_it(
    server: ApiServerDouble,
    tmp_path_factory: pytest.TempPathFactory,
    moves: list[tuple[float, tuple[int, ...], bool]],
):
    """Whatever the replicas see of the cluster, and whenever they look."""
    server.objects.clear()
    replicas = Replicas(server, tmp_path_factory.mktemp("lease"))
    for seconds, who, answers in moves:
        server.answer_all = None if answers else (503, {})
        assert replicas.after(seconds, *who) != [True, True]
    server.answer_all = None
