"""The service through a kubecontext: the ConfigMap `ml-platform/connection` says where it is, the
kubeconfig's bearer token who we are."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import urlsplit

from kubernetes.client import ApiClient, ApiException, CoreV1Api
from urllib3.exceptions import HTTPError

from ml_platform.cluster.api_client import api_client, described
from ml_platform.cluster.port_forward import PortForward
from ml_platform.errors import (
    AuthenticationError,
    MlPlatformError,
    NotAllowedError,
    NotFoundError,
    ServiceUnavailableError,
    WorkError,
)
from ml_platform.settings import LOOPBACK, ClusterAccess

NAMESPACE, CONFIG_MAP = "ml-platform", "connection"
_NAME = f"ConfigMap {NAMESPACE}/{CONFIG_MAP}"
_TIMEOUT = (5.0, 15.0)


class KubecontextWay:
    """`context`: the kubeconfig's current one when None. `token` goes before the kubeconfig's."""

    def __init__(self, context: str | None, token: str | None) -> None:
        self._access = ClusterAccess(context=context)
        self._token = token
        self._forward: PortForward | None = None

    def server(self) -> str:
        return self._server

    def token(self) -> str:
        if self._token is not None:
            return self._token
        # Asking for it runs an exec plugin again once its token has expired.
        value = self._client.configuration.get_api_key_with_prefix("BearerToken") or ""
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AuthenticationError(
                f"{self._place} has no bearer token, which the platform needs: client "
                "certificates and passwords prove nothing to it",
                hint="use a context with exec or OIDC credentials, or "
                "ML_PLATFORM_TOKEN=$(kubectl create token <service account> -n <team>)",
            )
        return token.strip()

    def tls(self) -> ssl.SSLContext | bool:
        authority = self._connection.get("ca.crt")
        return ssl.create_default_context(cadata=authority) if authority else True

    def silent(self) -> ServiceUnavailableError:
        if self._forward is not None and self._forward.trouble is not None:
            return ServiceUnavailableError(self._forward.trouble, hint=self._choice)
        return ServiceUnavailableError(
            f"the platform does not answer at {self._server}, where {self._place} has it",
            hint=self._choice,
        )

    def described(self) -> str:
        if self._forward is not None:
            return f"a port-forward to Service {NAMESPACE}/{self._forward.service} of {self._place}"
        return f"{self._server}, which {_NAME} of {self._place} names"

    def close(self) -> None:
        if self._forward is not None:
            self._forward.close()

    @property
    def _place(self) -> str:
        return described(self._access)

    @property
    def _choice(self) -> str:
        return "ML_PLATFORM_CONTEXT chooses another context, ML_PLATFORM_SERVER an address"

    @cached_property
    def _client(self) -> ApiClient:
        return api_client(self._access)

    @cached_property
    def _connection(self) -> Mapping[str, str]:
        try:
            found = CoreV1Api(self._client).read_namespaced_config_map(
                CONFIG_MAP, NAMESPACE, _request_timeout=_TIMEOUT
            )
        except ApiException as error:
            raise self._refused(error) from error
        except (HTTPError, OSError) as error:
            raise ServiceUnavailableError(
                f"the cluster of {self._place} does not answer", hint=self._choice
            ) from error
        return dict(found.data or {})

    @cached_property
    def _server(self) -> str:
        address = self._connection.get("address", "").strip().rstrip("/")
        service, port = self._connection.get("service"), self._connection.get("port", "")
        if address:
            return self._checked(address)
        if not service or not port.isdecimal():
            raise WorkError(
                f"{_NAME} of {self._place} names no address, and no service and port",
                hint="its keys are `address`, or `service` and `port`",
            )
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            return f"http://{service}.{NAMESPACE}.svc:{port}"
        self._forward = PortForward(self._client, NAMESPACE, service, int(port))
        return self._forward.start()

    def _checked(self, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
            return address
        raise WorkError(
            f"{_NAME} of {self._place} names {address!r}, where a token would travel in the open",
            hint="the address must begin with https://",
        )

    def _refused(self, error: ApiException) -> MlPlatformError:
        if error.status == 401:
            return AuthenticationError(
                f"the cluster of {self._place} refuses your credentials",
                hint="log in again; `kubectl auth whoami` must work",
            )
        if error.status == 403:
            return NotAllowedError(
                f"you may not read {_NAME} of {self._place}",
                hint="ask its administrator for the role `caller` of that namespace",
            )
        if error.status == 404:
            return NotFoundError(
                f"the cluster of {self._place} has no ML Platform: {_NAME} is missing",
                hint=self._choice,
            )
        return ServiceUnavailableError(
            f"the cluster of {self._place} answers {error.status} {error.reason}",
            hint="try again",
        )
