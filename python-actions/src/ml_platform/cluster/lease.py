"""The Lease that one replica of the service holds while it commits.

The client library brings a leader election, but one that cannot be ended, gives nothing back at a
stop, and measures by the wall clock. This is the same algorithm as client-go's: whoever finds the
record unchanged for its whole duration, by the own clock, may take it, and the API server's check of
the resource version lets only one succeed.

A replica stops writing `GRACE` seconds before anybody else can begin, counted from before its last
successful renewal was sent. Should a clock or a process stand still for longer than that in the
middle of a commit, nothing is lost either: `main` moves by compare-and-swap, so the second of two
writers reads again and finds the first one's work.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kubernetes.client import ApiClient, ApiException, CoordinationV1Api
from prometheus_client import Gauge
from urllib3.exceptions import HTTPError

log = logging.getLogger(__name__)
DURATION, RENEW, GRACE = 15.0, 5.0, 5.0
LOOK = 1.0  # of those who wait: at an update callers notice the change of hands by a pause only
ADDRESS = "ml-platform/address"
_TIMEOUT = (2.0, 3.0)

leading = Gauge("ml_platform_committer", "1 while this replica holds the committer's Lease")


class Lease:
    """Looks every few seconds from `start` to `stop`; `step` is one look.

    `identity` is the same after a restart: the process before it is gone, and what it held need
    not be waited for. `own_address`: where other replicas reach this one.
    """

    def __init__(
        self,
        client: ApiClient,
        namespace: str,
        name: str,
        identity: str,
        own_address: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self._api = CoordinationV1Api(client)
        self._namespace, self._name = namespace, name
        self._own_address = own_address
        self._clock = clock
        self._until = clock() - 1.0
        self._seen: tuple[str, float] = ("", 0.0)  # resource version, and when first seen
        self._address: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        self.step()
        self._thread.start()

    def stop(self) -> None:
        """Give it back, so that another replica need not wait for its end."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)
        if self.held():
            self._until = self._clock() - 1.0
            self._asked(self._give_back)
        leading.set(0)

    def held(self) -> bool:
        return self._clock() < self._until

    def address(self) -> str | None:
        return None if self.held() else self._address

    def step(self) -> None:
        """Renew it, take it, or see who has it."""
        before = self.held()
        self._asked(self._look)
        now = self.held()
        leading.set(now)
        if now != before:
            log.warning("this replica %s", "commits now" if now else "commits no longer")

    def _run(self) -> None:
        while not self._stopped.wait(RENEW if self.held() else LOOK):
            self.step()

    def _asked(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ApiException as error:
            if error.status != 409:  # somebody else was quicker, which is what the check is for
                log.warning("the Lease cannot be used: %s %s", error.status, error.reason)
        except (HTTPError, OSError) as error:
            log.warning("the Lease cannot be used: %s", type(error).__name__)

    def _look(self) -> None:
        sent = self._clock()
        found = self._read()
        if found is None:
            self._write(sent, None)
            return
        spec = found["spec"]
        if spec.get("holderIdentity") in (self.identity, "", None):
            self._write(sent, found)
            return
        self._address = (found["metadata"].get("annotations") or {}).get(ADDRESS)
        version = found["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, sent)
        # Its own word on how long it lasts, so that replicas of two versions agree.
        elif sent - self._seen[1] >= float(spec.get("leaseDurationSeconds") or DURATION):
            self._write(sent, found)

    def _read(self) -> dict[str, Any] | None:
        try:
            answer: Any = self._api.read_namespaced_lease(
                self._name, self._namespace, _request_timeout=_TIMEOUT, _preload_content=False
            )
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def _write(self, sent: float, found: dict[str, Any] | None) -> None:
        moment = datetime.now(UTC)
        # Kubernetes takes these times with six decimals only, and the client drops them when all
        # are 0.
        now = moment.replace(microsecond=moment.microsecond or 1).isoformat()
        spec = dict(found["spec"]) if found else {"leaseTransitions": -1}
        if spec.get("holderIdentity") != self.identity:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = now
        spec |= {"holderIdentity": self.identity, "renewTime": now}
        self._send(found, {**spec, "leaseDurationSeconds": int(DURATION)})
        self._until = sent + DURATION - GRACE
        self._address = None

    def _give_back(self) -> None:
        found = self._read()
        if found is not None and found["spec"].get("holderIdentity") == self.identity:
            self._send(found, {**found["spec"], "holderIdentity": ""})

    def _send(self, found: dict[str, Any] | None, spec: dict[str, Any]) -> None:
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if found is not None:
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        if self._own_address is not None:
            metadata["annotations"] = {ADDRESS: self._own_address}
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        body: Any = {**kind, "metadata": metadata, "spec": spec}
        if found is None:
            self._api.create_namespaced_lease(
                self._namespace, body, _request_timeout=_TIMEOUT, _preload_content=False
            )
        else:
            self._api.replace_namespaced_lease(
                self._name, self._namespace, body, _request_timeout=_TIMEOUT, _preload_content=False
            )
