"""Catalog references of a cluster's users. Pure."""

from __future__ import annotations

import hashlib
import re

from ml_platform.errors import AuthenticationError

_SERVICE_ACCOUNT = "system:serviceaccount:"
# OIDC prefixes (`oidc:`, `https://issuer#`) stand before the address.
_EMAIL = re.compile(r"(?:.*[:#/|])?([^@:#/|\s]+)@([^@\s]+)")
_ENTITY_NAME = re.compile(r"[a-z0-9]([-_.a-z0-9]{0,61}[a-z0-9])?")


def user_reference(username: str, email_domains: tuple[str, ...] = ()) -> str:
    """The catalog reference of a cluster's user.

    `system:serviceaccount:team:ci` is `user:team/ci`; an e-mail address is the part before the @,
    as Backstage's own resolvers have it; another name is itself. What the catalog's names cannot
    hold is replaced, and the name then ends in a hash, so that no two users become one. With
    `email_domains`, addresses of other domains are refused (AuthenticationError).
    """
    if username.startswith(_SERVICE_ACCOUNT):
        namespace, _, name = username.removeprefix(_SERVICE_ACCOUNT).partition(":")
        return f"user:{_entity_name(namespace)}/{_entity_name(name)}"
    if username.startswith("system:"):
        raise AuthenticationError(
            f"{username[:80]} is a part of the cluster, neither a person nor a service account"
        )
    email = _EMAIL.fullmatch(username)
    if email is None:
        return f"user:default/{_entity_name(username)}"
    if email_domains and email[2].lower() not in email_domains:
        raise AuthenticationError(
            f"people of {email[2][:80]} are not admitted here",
            hint=f"ML_PLATFORM_EMAIL_DOMAINS has: {', '.join(email_domains)}",
        )
    return f"user:default/{_entity_name(email[1])}"


def team_of_service_account(username: str) -> str | None:
    """The namespace of a service account, which is the team's name where it is a team's."""
    if not username.startswith(_SERVICE_ACCOUNT):
        return None
    return username.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]


def _entity_name(name: str) -> str:
    lower = name.lower()
    if _ENTITY_NAME.fullmatch(lower):
        return lower
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    readable = re.sub(r"[^-_.a-z0-9]+", "-", lower)[:54].strip("-_.")
    return f"{readable}-{digest}".lstrip("-")
