"""Callers who bring a cluster's bearer token: the CLI and the SDK through a kubecontext."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ml_platform.errors import AuthenticationError, ServiceUnavailableError
from ml_platform.service.auth import Principal
from ml_platform.service.user_reference import team_of_service_account, user_reference

if TYPE_CHECKING:
    from ml_platform.cluster.callers import ClusterCallers

LIFETIME = 60.0
REFUSAL_LIFETIME = 5.0
# Each unknown token costs the API server a question: guesses wait in line instead of flooding it.
AT_ONCE = 8
_KNOWN = 10_000

Answer = Principal | AuthenticationError


class ClusterTokens:
    """Asks the clusters in turn who a token is of; remembers the answer for a minute."""

    def __init__(
        self,
        clusters: Sequence[ClusterCallers],
        teams: Callable[[], Iterable[str]],
        email_domains: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clusters = clusters
        self._teams = teams
        self._email_domains = email_domains
        self._clock = clock
        self._answers: dict[bytes, tuple[float, Answer]] = {}
        self._limiter: anyio.CapacityLimiter | None = None

    async def verify(self, token: str) -> Principal:
        """The caller; raises AuthenticationError, ServiceUnavailableError without an answer."""
        key = hashlib.sha256(token.encode()).digest()
        until, answer = self._answers.get(key, (0.0, None))
        if answer is None or self._clock() >= until:
            answer = await self._asked(key, token)
        if isinstance(answer, AuthenticationError):
            raise AuthenticationError(answer.message, hint=answer.hint)
        return answer

    async def _asked(self, key: bytes, token: str) -> Answer:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        answer: Answer
        try:
            answer = await anyio.to_thread.run_sync(self._identified, token, limiter=self._limiter)
        except AuthenticationError as error:
            answer = error
        lifetime = LIFETIME if isinstance(answer, Principal) else REFUSAL_LIFETIME
        if len(self._answers) >= _KNOWN:
            self._answers.clear()
        self._answers[key] = (self._clock() + lifetime, answer)
        return answer

    def _identified(self, token: str) -> Principal:
        silent: ServiceUnavailableError | None = None
        for cluster in self._clusters:
            try:
                if (principal := self._identified_by(cluster, token)) is not None:
                    return principal
            except ServiceUnavailableError as error:
                silent = error
        if silent is not None:  # the token may well be that cluster's
            raise silent
        names = ", ".join(cluster.name for cluster in self._clusters)
        raise AuthenticationError(
            f"no cluster of this platform knows the bearer token (asked: {names})",
            hint="it may have expired; `kubectl auth whoami` says what the cluster thinks of it",
        )

    def _identified_by(self, cluster: ClusterCallers, token: str) -> Principal | None:
        user = cluster.user(token)
        if user is None:
            return None
        reference = user_reference(user.name, self._email_domains)
        names = frozenset(self._teams())
        own = names & {team_of_service_account(user.name) or ""}
        teams = cluster.teams(user, sorted(names - own)) | own
        return Principal(user=reference, kind="user", teams=teams)
