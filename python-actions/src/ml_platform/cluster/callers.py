"""Who a bearer token is of, and for which teams that caller may act, as a cluster says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubernetes.client import (
    ApiClient,
    ApiException,
    AuthenticationV1Api,
    AuthorizationV1Api,
    V1ResourceAttributes,
    V1SubjectAccessReview,
    V1SubjectAccessReviewSpec,
    V1TokenReview,
    V1TokenReviewSpec,
)
from urllib3.exceptions import HTTPError

from ml_platform.errors import ServiceUnavailableError

# A verb of ours: the role `member` of each team grants it, and Kubernetes itself never asks for it.
# `kubectl auth can-i submit rayjobs.ray.io --namespace <team>` says what the platform will say.
VERB, GROUP, RESOURCE = "submit", "ray.io", "rayjobs"
_TIMEOUT = (3.0, 10.0)


@dataclass(frozen=True)
class ClusterUser:
    """A caller as the API server authenticated it; `extra` is its business, passed back as it is."""

    name: str
    uid: str | None
    groups: tuple[str, ...]
    extra: dict[str, list[str]]


class ClusterCallers:
    """Asks one cluster. Every method raises ServiceUnavailableError while it cannot answer."""

    def __init__(self, name: str, client: ApiClient, audiences: tuple[str, ...] = ()) -> None:
        self.name = name
        self._authentication = AuthenticationV1Api(client)
        self._authorization = AuthorizationV1Api(client)
        self._audiences = audiences

    def user(self, token: str) -> ClusterUser | None:
        """The caller, or None when the cluster does not know the token or it is for others."""
        spec = V1TokenReviewSpec(token=token, audiences=list(self._audiences) or None)
        status = self._asked(
            "review tokens",
            self._authentication.create_token_review,
            V1TokenReview(spec=spec),
        )
        if not status.authenticated or status.user is None or not status.user.username:
            return None
        # An API server that knows nothing of audiences answers without any.
        if self._audiences and not set(self._audiences) & set(status.audiences or ()):
            return None
        user = status.user
        return ClusterUser(user.username, user.uid, tuple(user.groups or ()), user.extra or {})

    def teams(self, user: ClusterUser, among: Iterable[str]) -> frozenset[str]:
        """Teams (namespaces) in which the caller may submit jobs."""
        return frozenset(team for team in among if self._may_submit(user, team))

    def _may_submit(self, user: ClusterUser, namespace: str) -> bool:
        spec = V1SubjectAccessReviewSpec(
            user=user.name,
            uid=user.uid,
            groups=list(user.groups),
            extra=user.extra,
            resource_attributes=V1ResourceAttributes(
                namespace=namespace, verb=VERB, group=GROUP, resource=RESOURCE
            ),
        )
        status = self._asked(
            "review access",
            self._authorization.create_subject_access_review,
            V1SubjectAccessReview(spec=spec),
        )
        return bool(status.allowed) and not status.denied

    def _asked(self, what: str, call: Any, review: Any) -> Any:
        try:
            return call(review, _request_timeout=_TIMEOUT).status
        except ApiException as error:
            # Also 401 and 403, which a restarted API server gives until it has read its roles.
            raise ServiceUnavailableError(
                f"the cluster {self.name} does not let the platform {what}: "
                f"{error.status} {error.reason}",
                hint="bind its service account to the role system:auth-delegator there",
            ) from None  # the error's text holds the request's headers
        except (HTTPError, OSError) as error:
            raise ServiceUnavailableError(
                f"the cluster {self.name} does not answer, so nobody can be identified",
                hint="try again",
            ) from error
