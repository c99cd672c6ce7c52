"""Clients of clusters' API servers: the pod's own identity, or a context of a kubeconfig."""

from __future__ import annotations

import os

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import (
    ConfigException,
    load_incluster_config,
    load_kube_config,
)

from ml_platform.errors import WorkError
from ml_platform.settings import ClusterAccess


def api_client(access: ClusterAccess) -> ApiClient:
    """A client of its own; raises WorkError naming the file and context that cannot be used."""
    configuration = Configuration()
    inside = access.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if inside and access.context is None:
            load_incluster_config(client_configuration=configuration)
        else:
            load_kube_config(_file(access), access.context, configuration)
    except (ConfigException, OSError, ValueError, TypeError) as error:
        raise WorkError(
            f"{described(access)} cannot be used: {error}",
            hint="`kubectl --context <context> get --raw /readyz` must work with the same file",
        ) from error
    return ApiClient(configuration)


def described(access: ClusterAccess) -> str:
    """The cluster in words, for errors."""
    context = f"context {access.context}" if access.context else "the current context"
    if access.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return "the pod's own service account" if access.context is None else context
    return f"{context} of {_file(access)}"


def _file(access: ClusterAccess) -> str:
    """Said outright: the client library reads KUBECONFIG only when it is imported."""
    return str(access.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")
