"""Nobody without a verified identity gets an answer, whatever the route."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from backstage_double import TYPE, BackstageDouble
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.routing import APIRoute, iter_route_contexts
from service_world import ADA, GROUPS, Service

from ml_platform.service.app import OPEN_PATHS


def _unsigned(backstage: BackstageDouble) -> str:
    parts = [
        {"typ": TYPE, "alg": "none", "kid": backstage.key_id},
        {"sub": "scaffolder", "aud": "ml-platform", "iat": 0, "exp": int(time.time()) + 60},
    ]
    return ".".join([*(_b64(part) for part in parts), ""])


def _b64(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _symmetric(backstage: BackstageDouble) -> str:
    """HS256 with the public key as the secret: works where the algorithm is the token's choice."""
    pem = backstage.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    now = int(time.time())
    body = {"sub": "scaffolder", "aud": "ml-platform", "iat": now, "exp": now + 60}
    signed = f"{_b64({'typ': TYPE, 'alg': 'HS256', 'kid': backstage.key_id})}.{_b64(body)}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mac = base64.urlsafe_b64encode(signature.sign(signed.encode(), pem)).decode().rstrip("=")
    return f"{signed}.{mac}"


def _foreign(backstage: BackstageDouble) -> str:
    now = int(time.time())
    body = {"sub": "scaffolder", "aud": "ml-platform", "iat": now, "exp": now + 60}
    head = {"typ": TYPE, "kid": backstage.key_id}
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(body, key, algorithm="ES256", headers=head)


def _tampered(backstage: BackstageDouble) -> str:
    head, body, mac = backstage.plugin_token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["obo"] = backstage.user_token("user:default/root", ("group:default/edge-plasma",))
    return f"{head}.{_b64(claims)}.{mac}"


def _deep(_: BackstageDouble) -> str:
    body = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
    return f"{_b64({'typ': TYPE, 'alg': 'ES256', 'kid': 'x'})}.{body}.eA"


HOUR_AGO = int(time.time()) - 3600
REFUSED: dict[str, Callable[[BackstageDouble], str | None]] = {
    "no token": lambda _: None,
    "only the scheme": lambda _: "Bearer",
    "another scheme": lambda b: f"Basic {b.plugin_token()}",
    "no scheme": lambda b: b.plugin_token(),
    "garbage": lambda _: "Bearer garbage",
    "garbage in three parts": lambda _: "Bearer a.b.c",
    "bytes": lambda _: "Bearer \xff\xfe",
    "too long": lambda _: "Bearer " + "x" * 20_000,
    "expired": lambda b: f"Bearer {b.plugin_token({'exp': HOUR_AGO})}",
    "without an end": lambda b: f"Bearer {b.plugin_token({'exp': None})}",
    "without an audience": lambda b: f"Bearer {b.plugin_token({'aud': None})}",
    "for another audience": lambda b: f"Bearer {b.plugin_token({'aud': 'catalog'})}",
    "from an untrusted plugin": lambda b: f"Bearer {b.plugin_token({'sub': 'todo'})}",
    "from a plugin that is a path": lambda b: f"Bearer {b.plugin_token({'sub': '../scaffolder'})}",
    "of another type": lambda b: f"Bearer {b.plugin_token(header={'typ': 'vnd.backstage.user'})}",
    "with an unknown key": lambda b: f"Bearer {b.plugin_token(header={'kid': 'unknown'})}",
    "on behalf of no token": lambda b: f"Bearer {b.plugin_token({'obo': 5})}",
    "on behalf of nobody": lambda b: f"Bearer {b.plugin_token({'obo': 'nobody'})}",
    "on behalf of a group": lambda b: f"Bearer {b.token_of('group:default/edge-plasma')}",
    "unsigned": lambda b: f"Bearer {_unsigned(b)}",
    "signed with the public key": lambda b: f"Bearer {_symmetric(b)}",
    "signed by somebody else": lambda b: f"Bearer {_foreign(b)}",
    "changed after it was signed": lambda b: f"Bearer {_tampered(b)}",
    "nested beyond measure": lambda b: f"Bearer {_deep(b)}",
    "nearly the local token": lambda _: "Bearer x",
}


def _addresses(service: Service) -> list[tuple[str, str]]:
    """Method and address of every route there is, and of some that there are not."""
    found = [
        (method, context.path.replace("{path:path}", "a/b").replace("{", "").replace("}", ""))
        for context in iter_route_contexts(service.app.routes)
        for method in getattr(context, "methods", None) or {"GET"}
    ]
    assert len(found) > 15
    unknown = [("GET", "/"), ("GET", "/v1"), ("POST", "/v1/jobs"), ("DELETE", "/v1/jobs/x")]
    return [*found, *unknown, ("GET", "/healthz/"), ("GET", "//healthz")]


def test_the_walk_finds_the_routes(shared_service: Service):
    paths = {path for _, path in _addresses(shared_service)}
    assert {"/v1/actions", "/v1/jobs/job_id/logs", "/v1/events", "/metrics"} <= paths
    assert "/v1/openapi.json" in paths
    assert APIRoute is not None


def _refuses(service: Service, kind: str, addresses: list[tuple[str, str]]) -> None:
    header = REFUSED[kind](service.backstage)
    headers = {"Authorization": header.encode("latin-1")} if header is not None else {}
    client = service.client_with(None)
    for method, path in addresses:
        response = client.request(method, path, headers=headers)
        assert response.status_code == 401, (method, path, response.text)
        if method != "HEAD":
            assert response.json()["error"]["name"] == "AuthenticationError"
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("kind", ["no token", "garbage", "expired", "signed by somebody else"])
def test_no_route_answers_without_an_identity(shared_service: Service, kind: str):
    walk = [entry for entry in _addresses(shared_service) if entry[1] not in OPEN_PATHS]
    _refuses(shared_service, kind, walk)


@pytest.mark.parametrize("kind", REFUSED)
def test_no_token_but_a_proper_one_is_an_identity(shared_service: Service, kind: str):
    _refuses(shared_service, kind, [("GET", "/v1/jobs"), ("POST", "/v1/actions/x/run")])


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_probes_need_no_identity_and_tell_nothing(shared_service: Service, path: str):
    response = shared_service.client_with(None).get(path)
    assert response.json() == {"status": "ok"}


def test_a_user_is_who_backstage_says(shared_service: Service):
    assert shared_service.client().get("/v1/me").json() == {
        "user": ADA,
        "name": "ada",
        "teams": ["stellarator-design"],
        "kind": "user",
    }


def test_the_local_token_is_the_owner_of_the_machine(shared_service: Service):
    me = shared_service.client_with(shared_service.local_token).get("/v1/me").json()
    assert me["user"] == "user:default/guest"
    assert me["teams"] == ["edge-plasma", "stellarator-design"]
    assert shared_service.settings.token_file.stat().st_mode & 0o777 == 0o600


def test_a_new_local_token_replaces_the_old_one_at_once(service: Service):
    old = service.client_with(service.local_token)
    assert old.get("/v1/me").status_code == 200
    token = "a-new-token-of-this-test"
    draft = service.settings.token_file.with_suffix(".draft")
    draft.write_text(json.dumps({"token": token, "user": ADA}))
    draft.rename(service.settings.token_file)
    assert old.get("/v1/me").status_code == 401
    assert service.client_with(token).get("/v1/me").json()["user"] == ADA


def test_a_plugin_reads_what_is_everybodys_and_does_nothing_in_its_own_name(
    shared_service: Service,
):
    job = shared_service.submitted("plugin-reads")["job_id"]
    client = shared_service.client_with(shared_service.backstage.plugin_token())
    assert client.get("/v1/me").json()["kind"] == "service"
    for path in ("/v1/actions", "/v1/pools", "/v1/workloads", "/v1/catalog/entities"):
        assert client.get(path).status_code == 200, path
    with client.stream("GET", "/v1/events") as response:
        assert response.status_code == 200
    for path in ("/v1/jobs", f"/v1/jobs/{job}", f"/v1/jobs/{job}/logs", "/v1/teams"):
        response = client.get(path)
        assert response.status_code == 403, path
        assert response.json()["error"]["name"] == "NotAllowedError"
    body = {"input": {"job_id": job}, "idempotencyKey": "x"}
    for action in ("ml:job:cancel", "ml:job:get", "ml:job:submit"):
        assert client.post(f"/v1/actions/{action}/run", json=body).status_code == 403


def test_a_rotated_key_is_taken_up(service: Service):
    clock = _clock(service)
    assert service.client().get("/v1/me").status_code == 200
    service.backstage.rotate()
    clock.now += 3
    token = service.backstage.token_of(ADA, *GROUPS[ADA])
    assert service.client_with(token).get("/v1/me").status_code == 200
    assert service.client().get("/v1/me").status_code == 200  # the old key is still published


def test_a_withdrawn_key_ends_after_its_lifetime(service: Service):
    clock = _clock(service)
    assert service.client().get("/v1/me").status_code == 200
    service.backstage.published.clear()
    service.backstage.rotate()
    clock.now += 3601
    assert service.client().get("/v1/me").status_code == 401


def test_unknown_keys_are_not_asked_for_at_every_call(service: Service):
    client = service.client_with(service.backstage.plugin_token(header={"kid": "unknown"}))
    for _ in range(20):
        assert client.get("/v1/me").status_code == 401
    assert len(service.backstage.asked) <= 2


def test_without_backstage_nobody_new_is_identified(service: Service):
    service.backstage.close()
    response = service.client().get("/v1/me")
    assert response.status_code == 503
    assert response.json()["error"]["retryable"] is True
    assert service.client_with(service.local_token).get("/v1/me").status_code == 200


@pytest.mark.parametrize(
    "keys", [{}, {"k": {"kty": "oct"}}, {"k": {"kty": "RSA", "n": "", "e": ""}}]
)
def test_keys_that_cannot_be_read_identify_nobody(service: Service, keys: dict[str, Any]):
    service.backstage.published.clear()
    service.backstage.published.update(keys)
    response = service.client().get("/v1/me")
    assert response.status_code in (401, 503)
    assert response.json()["error"]["name"] in ("AuthenticationError", "ServiceUnavailableError")


class _Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def _clock(service: Service) -> _Clock:
    """The service's clock for keys, to be moved by the test."""
    clock = _Clock()
    for middleware in service.app.user_middleware:
        if (authenticator := middleware.kwargs.get("authenticator")) is not None:
            authenticator._backstage._clock = clock
    return clock
