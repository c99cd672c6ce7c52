"""The way to the service: where it is, who we are to it, and what to say while it is silent.

The first of these that there is decides:

1. an address given in Python, or ML_PLATFORM_SERVER;
2. ML_PLATFORM_CONTEXT: the platform of that context's cluster;
3. the token file of `ml-platform up`: the platform of this machine;
4. a kubeconfig (or a pod's service account): the platform of the current context's cluster.
"""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Protocol

from ml_platform.errors import AuthenticationError, ServiceUnavailableError
from ml_platform.settings import Settings

HERE = "this machine"


class Way(Protocol):
    """How calls reach the service. Nothing is looked up before it is needed."""

    def server(self) -> str:
        """Its address, as an HTTP client takes it."""

    def token(self) -> str:
        """A bearer token that is valid now; raises AuthenticationError with the way to one."""

    def tls(self) -> ssl.SSLContext | bool:
        """How its certificate is checked."""

    def silent(self) -> ServiceUnavailableError:
        """What to tell the caller when nobody answers there."""

    def described(self) -> str:
        """The way in words, for `ml-platform status`."""

    def close(self) -> None: ...


class DirectWay:
    """An address that was given, or the platform on this machine."""

    def __init__(self, server: str, token: str | None, token_file: Path, said: str) -> None:
        self._server = server.rstrip("/")
        self._token = token
        self._token_file = token_file
        self._said = said

    def server(self) -> str:
        return self._server

    def token(self) -> str:
        return self._token or token_from_file(self._token_file)

    def tls(self) -> ssl.SSLContext | bool:
        return True

    def silent(self) -> ServiceUnavailableError:
        hint = "start it with `ml-platform up`"
        if self._said == HERE and has_kubeconfig():
            hint += ", or choose a cluster's by ML_PLATFORM_CONTEXT"
        return ServiceUnavailableError(f"the platform does not answer at {self._server}", hint=hint)

    def described(self) -> str:
        return f"{self._server}, {self._said}"

    def close(self) -> None:
        """Nothing is held open."""


def way_to_service(settings: Settings, server: str | None, token: str | None) -> Way:
    """The way that the caller or the settings choose; `token` goes before any other."""
    token = token or settings.token
    if server is not None:
        return DirectWay(server, token, settings.token_file, "as given")
    if settings.server is not None:
        said = "which ML_PLATFORM_SERVER names"
        return DirectWay(settings.server, token, settings.token_file, said)
    local = settings.token_file.exists()
    if settings.context is not None or (not local and has_kubeconfig()):
        # Here and not above: the client is half a second of import that local use does not need.
        from ml_platform.cluster.kubecontext import KubecontextWay  # noqa: PLC0415

        return KubecontextWay(settings.context, token)
    return DirectWay(settings.service_url, token, settings.token_file, HERE)


def has_kubeconfig() -> bool:
    """Whether there is a cluster to ask: the same places that kubectl looks at."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    named = os.environ.get("KUBECONFIG")
    paths = named.split(os.pathsep) if named else ["~/.kube/config"]
    return any(path and Path(path).expanduser().is_file() for path in paths)


def token_from_file(path: Path) -> str:
    """The token that `ml-platform up` wrote; raises AuthenticationError with the way to get one."""
    try:
        token = json.loads(path.read_text())["token"]
    except FileNotFoundError:
        raise AuthenticationError(
            f"no token: {path} does not exist",
            hint="start the platform with `ml-platform up`, set ML_PLATFORM_TOKEN, or choose the "
            "kubecontext of a cluster that has one",
        ) from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise AuthenticationError(
            f"{path} holds no token that can be read",
            hint="remove it and run `ml-platform up` again, or set ML_PLATFORM_TOKEN",
        ) from error
    return str(token)
