"""The few calls that are made to an API server: get, patch, and streams of lines or bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import urllib3
from kubernetes.client import ApiClient

from ml_platform.cluster.api_client import api_client
from ml_platform.cluster.fields import text
from ml_platform.errors import ClusterError
from ml_platform.settings import ClusterAccess

Object = dict[str, Any]
Query = dict[str, str | int]
CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
CONNECTIONS = 128  # each watch and each followed log holds one
_MERGE, _JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


class KubernetesApi:
    """One API server. Every method raises ClusterError when it refuses or does not answer."""

    def __init__(self, access: ClusterAccess, name: str) -> None:
        configuration = api_client(access).configuration
        configuration.connection_pool_maxsize = CONNECTIONS
        configuration.keep_alive = True
        configuration.retries = False  # callers try again with a pause and a line in the log
        self._client = ApiClient(configuration)
        self.name = name

    def close(self) -> None:
        self._client.rest_client.close()

    def get(self, path: str, **query: str | int) -> Object:
        response = self._open("GET", path, query, READ_SECONDS)
        return self._json(response)

    def patch(self, path: str, body: Object | list[Object]) -> Object:
        """A merge patch, or as a list a JSON patch."""
        response = self._open("PATCH", path, {}, READ_SECONDS, body)
        return self._json(response)

    def stream(self, path: str, *, silence: float, **query: str | int) -> Stream:
        """An answer without an end; one that says nothing for `silence` seconds is broken."""
        return Stream(self._open("GET", path, query, silence), self.name)

    def _json(self, response: urllib3.BaseHTTPResponse) -> Object:
        try:
            content = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ClusterError(f"{self.name}: the answer broke off: {error}") from error
        finally:
            response.release_conn()
        return content if isinstance(content, dict) else {}

    def _open(
        self, method: str, path: str, query: Query, read: float, body: Any = None
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = _JSON_PATCH if isinstance(body, list) else _MERGE
        request = self._client.param_serialize(
            method,
            path,
            query_params=[(name, str(value)) for name, value in query.items()],
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=(CONNECT_SECONDS, read))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(f"{self.name} does not answer: {error}") from error
        response: urllib3.BaseHTTPResponse = answer.response
        if response.status >= 300:
            raise self._refusal(response, method, path)
        return response

    def _refusal(self, response: urllib3.BaseHTTPResponse, method: str, path: str) -> ClusterError:
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
            message = text(json.loads(response.data), "message")
            response.release_conn()
            if message:
                return ClusterError(f"{self.name}: {message}", status=response.status)
        said = f"{self.name}: {method} {path} is answered with HTTP {response.status}"
        return ClusterError(said, status=response.status)


class Stream:
    """An open answer. `close` may be called from another thread and ends whoever reads."""

    def __init__(self, response: urllib3.BaseHTTPResponse, name: str) -> None:
        self._response = response
        self._name = name
        self.closed = False

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._response.close()

    def close(self) -> None:
        self.closed = True
        # Closing alone does not wake a reader. There is nothing to shut down once all was read.
        with contextlib.suppress(ValueError, AttributeError, OSError, RuntimeError):
            self._response.shutdown()

    def blocks(self) -> Iterator[bytes]:
        """Bytes as they come, until the end; raises ClusterError when the stream breaks."""
        try:
            yield from self._response.stream(65536, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if not self.closed:
                raise ClusterError(f"{self._name}: the stream broke off: {error}") from error

    def lines(self) -> Iterator[bytes]:
        """Whole lines; what follows the last end of a line is none."""
        rest = b""
        for block in self.blocks():
            *lines, rest = (rest + block).split(b"\n")
            yield from (line for line in lines if line)
