"""Who calls: by the local token file, by Backstage's word or by a cluster's."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import jwt

from ml_platform.errors import AuthenticationError, NotAllowedError

PLUGIN_TOKEN_TYPE = "vnd.backstage.plugin"  # noqa: S105  # a token's type, not a token
MAX_TOKEN = 16_384


@dataclass(frozen=True)
class Principal:
    """A verified caller. `user` is a catalog reference; a service acts for nobody.

    Backstage knows the caller's catalog groups, a cluster the teams.
    """

    user: str
    kind: Literal["user", "service"]
    groups: frozenset[str] = field(default_factory=frozenset)
    teams: frozenset[str] = field(default_factory=frozenset)
    everything: bool = False  # the machine's owner, by the local token file

    @property
    def is_user(self) -> bool:
        return self.kind == "user"


def write_token_file(path: Path, user: str) -> str:
    """The token of `path`, made (mode 0600) when missing, and whom it stands for."""
    known = LocalToken.from_file(path)
    if known is not None and known.user == user:
        return known.token
    token = known.token if known else secrets.token_urlsafe(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"token": token, "user": user}), encoding="utf-8")
    draft.rename(path)
    return token


@dataclass(frozen=True)
class LocalToken:
    """The token that `up` wrote; whoever can read that file owns the machine's platform."""

    token: str
    user: str

    @classmethod
    def from_file(cls, path: Path) -> LocalToken | None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(token=str(content["token"]), user=str(content["user"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def verify(self, token: str) -> Principal | None:
        if len(self.token) < 16 or not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        return Principal(user=self.user, kind="user", everything=True)


class Verifier(Protocol):
    """Somebody who knows whose a token is."""

    async def verify(self, token: str) -> Principal:
        """The caller; raises AuthenticationError, and ServiceUnavailableError without an answer."""


class Authenticator:
    """From an Authorization header to a Principal. No header, no entry."""

    def __init__(
        self, token_file: Path, backstage: Verifier, clusters: Verifier | None = None
    ) -> None:
        self._token_file = token_file
        self._backstage = backstage
        self._clusters = clusters
        self._local: tuple[float, LocalToken | None] = (-1.0, None)

    async def principal(self, authorization: str | None) -> Principal:
        """The caller; raises AuthenticationError."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
            raise AuthenticationError(
                "this call needs a bearer token",
                hint="the CLI and the SDK send one by themselves",
            )
        local = self._read_local()
        if local and (principal := local.verify(token)):
            return principal
        if self._clusters is None or _of_a_plugin(token):
            return await self._backstage.verify(token)
        return await self._clusters.verify(token)

    def _read_local(self) -> LocalToken | None:
        try:
            modified = self._token_file.stat().st_mtime
        except OSError:
            return None
        if self._local[0] != modified:
            self._local = (modified, LocalToken.from_file(self._token_file))
        return self._local[1]


def _of_a_plugin(token: str) -> bool:
    """Whether a token says that it is Backstage's. A wrong word only leads to the wrong door."""
    try:
        return bool(jwt.get_unverified_header(token).get("typ") == PLUGIN_TOKEN_TYPE)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False


def require_user(principal: Principal) -> Principal:
    """The principal if it is a user; raises NotAllowedError for services."""
    if not principal.is_user:
        raise NotAllowedError(
            "this call needs a user", hint="the calling plugin must act on behalf of one"
        )
    return principal
