"""Users of clusters as the catalog, commits and labels name them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_platform.errors import AuthenticationError
from ml_platform.repository.author import author_of
from ml_platform.service.user_reference import team_of_service_account, user_reference

REFERENCES = {
    "ada": "user:default/ada",
    "Ada": "user:default/ada",
    "kubernetes-admin": "user:default/kubernetes-admin",
    "ada@example.org": "user:default/ada",
    "oidc:ada.lovelace@example.org": "user:default/ada.lovelace",
    "https://accounts.example.org#ada@example.org": "user:default/ada",
    "system:serviceaccount:edge-plasma:ci": "user:edge-plasma/ci",
    "ada+test@example.org": "user:default/ada-test-8c60d1c2",
    "https://issuer.example.org#1234": "user:default/https-issuer.example.org-1234-d6d2d8ae",
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_name_becomes_a_catalog_reference(name: str):
    found, wanted = user_reference(name), REFERENCES[name]
    hashed = r"-[0-9a-f]{8}\Z"
    assert re.sub(hashed, "", found) == re.sub(hashed, "", wanted)
    assert bool(re.search(hashed, found)) == bool(re.search(hashed, wanted))


@given(name=st.text(min_size=1, max_size=300).filter(lambda name: not name.startswith("system:")))
def test_any_name_is_one_that_the_catalog_and_git_take(name: str):
    reference = user_reference(name)
    assert re.fullmatch(r"user:default/[a-z0-9]([-_.a-z0-9]{0,61}[a-z0-9])?", reference)
    assert author_of(reference).email.endswith(".users.invalid")


def test_names_that_had_to_be_changed_stay_apart():
    names = ("a b", "a/b", "a:b", "a--b", "ä", "ö", "a" * 100, "a" * 101)
    assert len({user_reference(name) for name in names}) == len(names)


def test_a_domain_is_compared_whole():
    assert user_reference("ada@EXAMPLE.org", ("example.org",)) == "user:default/ada"
    with pytest.raises(AuthenticationError, match=r"people of evil\.example\.org"):
        user_reference("ada@evil.example.org", ("example.org",))


def test_only_a_service_account_has_a_namespace():
    assert team_of_service_account("system:serviceaccount:edge-plasma:ci") == "edge-plasma"
    assert team_of_service_account("edge-plasma") is None
