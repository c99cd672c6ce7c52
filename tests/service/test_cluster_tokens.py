"""Callers with a cluster's token: the cluster says who they are and for which teams they act."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_server_double import ACCESS_REVIEWS, TOKEN_REVIEWS, ApiServerDouble
from backstage_double import BackstageDouble
from service_world import ADA, GROUPS

from ml_platform.cluster.callers import ClusterCallers
from ml_platform.errors import AuthenticationError, MlPlatformError, ServiceUnavailableError
from ml_platform.service.auth import Authenticator, Principal
from ml_platform.service.backstage_tokens import BackstageTokens
from ml_platform.service.cluster_tokens import ClusterTokens

TEAMS = frozenset({"stellarator-design", "edge-plasma"})
SECRET = "a-token-that-nobody-may-read-in-a-log"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def api() -> Iterator[ApiServerDouble]:
    with api_server() as server:
        yield server


@contextmanager
def api_server() -> Iterator[ApiServerDouble]:
    server = ApiServerDouble()
    server.tokens[SECRET] = {"username": "oidc:Ada@example.org", "groups": ["oidc:designers"]}
    server.members.add(("oidc:designers", "stellarator-design"))
    try:
        yield server
    finally:
        server.close()


def tokens_of(folder: Path, *servers: ApiServerDouble, **options: Any) -> ClusterTokens:
    audiences = options.pop("audiences", ())
    callers = [
        ClusterCallers(f"cluster-{number}", server.client(_made(folder / str(number))), audiences)
        for number, server in enumerate(servers)
    ]
    return ClusterTokens(callers, lambda: TEAMS, **options)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def verified(tokens: ClusterTokens, token: str = SECRET) -> Principal:
    return asyncio.run(tokens.verify(token))


def refused(tokens: ClusterTokens, token: str = SECRET) -> MlPlatformError:
    with pytest.raises(MlPlatformError) as caught:
        verified(tokens, token)
    return caught.value


def test_a_person_is_who_the_cluster_says_in_the_teams_whose_role_they_have(
    api: ApiServerDouble, tmp_path: Path
):
    assert verified(tokens_of(tmp_path, api)) == Principal(
        user="user:default/ada", kind="user", teams=frozenset({"stellarator-design"})
    )


def test_a_service_account_of_a_teams_namespace_belongs_to_the_team(
    api: ApiServerDouble, tmp_path: Path
):
    api.tokens["ci"] = {"username": "system:serviceaccount:edge-plasma:ci"}
    principal = verified(tokens_of(tmp_path, api), "ci")
    assert principal.user == "user:edge-plasma/ci"
    assert principal.teams == {"edge-plasma"}


def test_a_service_account_of_another_namespace_needs_the_role_as_anybody_does(
    api: ApiServerDouble, tmp_path: Path
):
    name = "system:serviceaccount:tools:nightly"
    api.tokens["nightly"] = {"username": name}
    assert verified(tokens_of(tmp_path, api), "nightly").teams == frozenset()
    api.members.add((name, "edge-plasma"))
    assert verified(tokens_of(tmp_path, api), "nightly").teams == {"edge-plasma"}


def test_an_unknown_token_is_refused_with_a_way_to_find_out_why(
    api: ApiServerDouble, tmp_path: Path
):
    error = refused(tokens_of(tmp_path, api), "unknown")
    assert isinstance(error, AuthenticationError)
    assert error.message == (
        "no cluster of this platform knows the bearer token (asked: cluster-0)"
    )
    assert "kubectl auth whoami" in str(error.hint)


def test_a_part_of_the_cluster_is_nobody(api: ApiServerDouble, tmp_path: Path):
    api.tokens["node"] = {"username": "system:node:one", "groups": ["system:nodes"]}
    assert isinstance(refused(tokens_of(tmp_path, api), "node"), AuthenticationError)


def test_a_token_for_another_audience_is_refused(api: ApiServerDouble, tmp_path: Path):
    tokens = tokens_of(tmp_path, api, audiences=("ml-platform",))
    assert isinstance(refused(tokens), AuthenticationError)
    api.audiences = ["ml-platform"]
    assert verified(tokens_of(tmp_path, api, audiences=("ml-platform",))).user == ADA


def test_a_cluster_that_does_not_check_audiences_vouches_for_nobody_when_one_is_wanted(
    api: ApiServerDouble, tmp_path: Path
):
    api.audiences = None
    tokens = tokens_of(tmp_path, api, audiences=("ml-platform",))
    assert isinstance(refused(tokens), AuthenticationError)


def test_people_of_other_domains_are_refused_where_domains_are_named(
    api: ApiServerDouble, tmp_path: Path
):
    assert verified(tokens_of(tmp_path, api, email_domains=("example.org",))).user == ADA
    error = refused(tokens_of(tmp_path, api, email_domains=("example.com",)))
    assert error.message == "people of example.org are not admitted here"


def test_any_cluster_may_vouch(api: ApiServerDouble, tmp_path: Path):
    with api_server() as other:
        other.tokens["theirs"] = {"username": "eve"}
        other.members.add(("eve", "edge-plasma"))
        principal = verified(tokens_of(tmp_path, api, other), "theirs")
        assert (principal.user, principal.teams) == ("user:default/eve", {"edge-plasma"})
        assert api.count(ACCESS_REVIEWS) == 0


def test_a_silent_cluster_lets_nobody_in(api: ApiServerDouble, tmp_path: Path):
    tokens = tokens_of(tmp_path, api)
    api.close()
    error = refused(tokens)
    assert isinstance(error, ServiceUnavailableError)
    assert error.message == "the cluster cluster-0 does not answer, so nobody can be identified"


def test_a_silent_cluster_may_be_the_one_that_knows_the_token(tmp_path: Path, api: ApiServerDouble):
    with api_server() as silent:
        tokens = tokens_of(tmp_path, silent, api)
    assert isinstance(refused(tokens, "unknown"), ServiceUnavailableError)
    assert verified(tokens).user == ADA


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_cluster_that_does_not_trust_the_platform_lets_nobody_in(
    api: ApiServerDouble, tmp_path: Path, status: int
):
    tokens = tokens_of(tmp_path, api)
    api.answer_all = (status, {"kind": "Status", "message": SECRET})
    error = refused(tokens)
    assert isinstance(error, ServiceUnavailableError)
    assert error.message.startswith(
        f"the cluster cluster-0 does not let the platform review tokens: {status}"
    )
    assert SECRET not in str(error)


def test_a_silence_is_not_remembered(api: ApiServerDouble, tmp_path: Path):
    tokens = tokens_of(tmp_path, api)
    api.answer_all = (503, {})
    refused(tokens)
    api.answer_all = None
    assert verified(tokens).user == ADA


def test_an_answer_is_remembered_for_a_minute_and_no_longer(api: ApiServerDouble, tmp_path: Path):
    clock = Clock()
    tokens = tokens_of(tmp_path, api, clock=clock)
    verified(tokens)
    clock.now += 59
    verified(tokens)
    assert api.count(TOKEN_REVIEWS) == 1
    clock.now += 2
    del api.tokens[SECRET]
    assert isinstance(refused(tokens), AuthenticationError)
    assert api.count(TOKEN_REVIEWS) == 2


def test_a_refusal_is_remembered_for_seconds_only(api: ApiServerDouble, tmp_path: Path):
    clock = Clock()
    tokens = tokens_of(tmp_path, api, clock=clock)
    for _ in range(3):
        refused(tokens, "late")
    assert api.count(TOKEN_REVIEWS) == 1
    api.tokens["late"] = {"username": "eve"}
    clock.now += 6
    assert verified(tokens, "late").user == "user:default/eve"


def test_no_token_is_written_to_a_log(
    api: ApiServerDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    tokens = tokens_of(tmp_path, api)
    verified(tokens)
    refused(tokens, SECRET + "-unknown")
    api.answer_all = (500, {"message": SECRET})
    refused(tokens, SECRET + "-other")
    assert SECRET not in caplog.text


def test_each_kind_of_token_goes_to_who_can_judge_it(api: ApiServerDouble, tmp_path: Path):
    """Also: a local token stays one, and a plugin's token is never shown to a cluster."""
    backstage = BackstageDouble()

    async def asked(token: str) -> Principal:
        verifier = BackstageTokens(backstage.url, "ml-platform", ("scaffolder",))
        authenticator = Authenticator(tmp_path / "none", verifier, tokens_of(tmp_path, api))
        try:
            return await authenticator.principal(f"Bearer {token}")
        finally:
            await verifier.close()

    try:
        plugin = asyncio.run(asked(backstage.token_of(ADA, *GROUPS[ADA])))
        assert plugin.groups >= set(GROUPS[ADA])
        assert api.count(TOKEN_REVIEWS) == 0
        assert asyncio.run(asked(SECRET)).teams == {"stellarator-design"}
        with pytest.raises(AuthenticationError):
            asyncio.run(asked(backstage.plugin_token({"exp": 1})))
        assert api.count(TOKEN_REVIEWS) == 1
    finally:
        backstage.close()
