"""Objects of an API server as plain dictionaries: read, applied, patched and deleted by kind."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from kubernetes import config

Document = dict[str, Any]
FIELD_MANAGER = "ml-platform-tests"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"


class ApiError(Exception):
    """What the API server refused, or that it did not answer (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Objects:
    """One user's view of a cluster."""

    def __init__(
        self, kubeconfig: Path, context: str | None = None, user: str | None = None
    ) -> None:
        """`user`: whom the kubeconfig's owner, who must be allowed to, plays."""
        # Only reads the file: requests go through httpx, whose clients threads may share.
        load: Any = config.new_client_from_config  # has no types
        access = load(str(kubeconfig), context=context).configuration
        self._access = access
        self.server, self.authority = str(access.host), Path(access.ssl_ca_cert)
        verify = ssl.create_default_context(cafile=access.ssl_ca_cert)
        if access.cert_file:
            verify.load_cert_chain(access.cert_file, access.key_file)
        # The user's proxy settings are for other machines.
        self._http = httpx.Client(
            base_url=access.host,
            headers={"Impersonate-User": user} if user else {},
            verify=verify,
            timeout=30,
            trust_env=False,
        )
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def close(self) -> None:
        self._http.close()

    def find(
        self, version: str, kind: str, name: str, namespace: str | None = None
    ) -> Document | None:
        """The object, or None."""
        try:
            return self.get(version, kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def get(self, version: str, kind: str, name: str, namespace: str | None = None) -> Document:
        """The object; raises ApiError 404 when there is none."""
        return self.request("GET", self._path(version, kind, namespace, name))

    def list(
        self, version: str, kind: str, namespace: str | None = None, selector: str = ""
    ) -> list[Document]:
        """All of a kind, in all namespaces unless one is named."""
        path = self._path(version, kind, namespace)
        found = self.request("GET", path, params={"labelSelector": selector} if selector else None)
        return list(found["items"])

    def create(self, document: Document, *, dry_run: bool = False) -> Document:
        path = self._path_of(document, named=False)
        return self.request("POST", path, document, params=_dry(dry_run))

    def apply(self, document: Document, *, dry_run: bool = False) -> Document:
        """Server-side apply; takes over what other managers set."""
        parameters = {"fieldManager": FIELD_MANAGER, "force": "true", **(_dry(dry_run) or {})}
        path = self._path_of(document, named=True)
        return self.request("PATCH", path, document, params=parameters, content_type=_APPLY)

    def apply_all(self, documents: Iterable[Document]) -> None:
        """Namespaces and kinds first, the rest side by side."""
        first: list[Document] = []
        then: list[Document] = []
        for document in documents:
            early = document["kind"] in ("Namespace", "CustomResourceDefinition")
            (first if early else then).append(document)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.apply, first))
            list(pool.map(self.apply, then))

    def patch(
        self,
        version: str,
        kind: str,
        name: str,
        change: Document,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Document:
        """Merge patch."""
        path = self._path(version, kind, namespace, name)
        return self.request("PATCH", path, change, params=_dry(dry_run), content_type=_MERGE)

    def patch_json(
        self, version: str, kind: str, name: str, steps: Any, subresource: str = ""
    ) -> Document:
        """JSON patch of an object without a namespace."""
        path = "/".join(filter(None, (self._path(version, kind, None, name), subresource)))
        return self.request("PATCH", path, steps, content_type=_JSON_PATCH)

    def delete(
        self,
        version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> bool:
        """Whether there was one to delete."""
        try:
            path = self._path(version, kind, namespace, name)
            self.request("DELETE", path, params=_dry(dry_run))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def token(self, namespace: str, account: str, body: Document) -> str:
        """A token of a service account, by TokenRequest."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str(self.request("POST", path, body)["status"]["token"])

    def text(self, path: str, **parameters: str) -> str:
        """Answers that are not objects, such as logs and /readyz."""
        return self._answer("GET", path, None, "application/json", parameters).text

    def log(self, namespace: str, pod: str, **parameters: str) -> str:
        return self.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", **parameters)

    def serves(self, version: str, kind: str) -> bool:
        """Whether the API server knows the kind by now."""
        try:
            self._resource(version, kind)
        except ApiError as error:
            if error.status in (0, 403, 404, 503):
                return False
            raise
        return True

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Document:
        """Any call; raises ApiError."""
        answer: Document = self._answer(method, path, body, content_type, params or {}).json()
        return answer

    def _answer(
        self, method: str, path: str, body: Any, content_type: str, params: dict[str, str]
    ) -> httpx.Response:
        headers = {"Content-Type": content_type}
        token = self._access.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        content = None if body is None else json.dumps(body)
        try:
            answer = self._http.request(
                method, path, content=content, params=params, headers=headers
            )
        except httpx.HTTPError as error:
            raise ApiError(0, f"{method} {path}: {error!r}") from error
        if answer.is_error:
            raise ApiError(answer.status_code, _message(answer))
        return answer

    def _path_of(self, document: Document, *, named: bool) -> str:
        metadata = document["metadata"]
        name = metadata["name"] if named else ""
        return self._path(document["apiVersion"], document["kind"], metadata.get("namespace"), name)

    def _path(self, version: str, kind: str, namespace: str | None, name: str = "") -> str:
        plural, namespaced = self._resource(version, kind)
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        place = f"namespaces/{namespace or 'default'}" if namespaced and (namespace or name) else ""
        return "/".join(filter(None, (base, place, plural, name)))

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        """Plural of a kind, and whether it lies in namespaces."""
        known = self._kinds.get(version, {})
        if kind not in known:
            base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            listed = self.request("GET", base)["resources"]
            known = {
                item["kind"]: (item["name"], item["namespaced"])
                for item in listed
                if "/" not in item["name"]
            }
            self._kinds[version] = known
        if kind not in known:
            raise ApiError(404, f"{version} has no {kind}")
        return known[kind]


def _dry(dry_run: bool) -> dict[str, str] | None:
    return {"dryRun": "All"} if dry_run else None


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]
