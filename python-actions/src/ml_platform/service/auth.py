"""Who calls: the local token file, or Backstage's plugin token with the user behind it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import jwt

from ml_platform.errors import AuthenticationError, NotAllowedError, ServiceUnavailableError

PLUGIN_TOKEN_TYPE = "vnd.backstage.plugin"  # noqa: S105  # a token's type, not a token
KEYS_LIFETIME = 3600.0
USER_LIFETIME = 60.0
MAX_TOKEN = 16_384


@dataclass(frozen=True)
class Principal:
    """A verified caller. `user` is a catalog reference; a service acts for nobody."""

    user: str
    kind: Literal["user", "service"]
    groups: frozenset[str] = field(default_factory=frozenset)
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


class BackstageTokens:
    """Verifies plugin tokens (ES256, `aud`, `obo`) against Backstage's published keys."""

    def __init__(
        self,
        base_url: str,
        audience: str,
        trusted_plugins: tuple[str, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._audience = audience
        self._trusted = frozenset(trusted_plugins)
        self._clock = clock
        self._keys: dict[str, tuple[float, dict[str, jwt.PyJWK]]] = {}
        self._users: dict[str, tuple[float, Principal]] = {}
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def verify(self, token: str) -> Principal:
        """The caller; raises AuthenticationError, ServiceUnavailableError without Backstage."""
        claims = await self._claims(token)
        on_behalf_of = claims.get("obo")
        if on_behalf_of is None:
            return Principal(user=f"plugin:{claims['sub']}", kind="service")
        if not isinstance(on_behalf_of, str):
            raise AuthenticationError("the token's `obo` is no token")
        return await self._user(on_behalf_of, float(claims["exp"]))

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            plugin = jwt.decode(token, options={"verify_signature": False}).get("sub")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise AuthenticationError("the bearer token is not one of this platform") from error
        if header.get("typ") != PLUGIN_TOKEN_TYPE or header.get("alg") != "ES256":
            raise AuthenticationError("the bearer token is not a Backstage plugin token")
        if not isinstance(plugin, str) or plugin not in self._trusted:
            raise AuthenticationError("the token is from a plugin that is not trusted here")
        key = await self._key(plugin, str(header.get("kid")))
        try:
            return jwt.decode(
                token,
                key=key,
                algorithms=["ES256"],
                audience=self._audience,
                options={"require": ["exp", "iat", "sub", "aud"]},
                leeway=5,
            )
        except (jwt.PyJWTError, ValueError, OverflowError) as error:
            raise AuthenticationError(f"the token was refused: {error}") from error

    async def _key(self, plugin: str, kid: str) -> jwt.PyJWK:
        read_at, keys = self._keys.get(plugin, (0.0, {}))
        stale = self._clock() - read_at
        # An unknown key id may be a new key; asked for at most every two seconds.
        if (kid not in keys and stale > 2) or stale > KEYS_LIFETIME:
            body = await self._get(f"/api/{plugin}/.backstage/auth/v1/jwks.json", {})
            try:
                keys = {key.key_id or "": key for key in jwt.PyJWKSet.from_dict(body).keys}
            except (jwt.PyJWTError, KeyError, ValueError, AttributeError, TypeError) as error:
                raise ServiceUnavailableError("Backstage's keys cannot be read") from error
            self._keys[plugin] = (self._clock(), keys)
        if kid not in keys:
            raise AuthenticationError(
                "the token was signed with a key that Backstage does not know"
            )
        return keys[kid]

    async def _user(self, token: str, expires: float) -> Principal:
        name = hashlib.sha256(token.encode()).hexdigest()
        until, known = self._users.get(name, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        info = await self._get("/api/auth/v1/userinfo", {"Authorization": f"Bearer {token}"})
        claims = info.get("claims")
        claims = claims if isinstance(claims, dict) else {}
        user, groups = claims.get("sub"), claims.get("ent", [])
        if (
            not isinstance(user, str)
            or not user.startswith("user:")
            or not isinstance(groups, list)
        ):
            raise AuthenticationError("Backstage did not say who the user is")
        principal = Principal(user=user, kind="user", groups=frozenset(map(str, groups)))
        if len(self._users) > 10_000:
            self._users.clear()
        self._users[name] = (min(expires, self._clock() + USER_LIFETIME), principal)
        return principal

    async def _get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        try:
            response = await self._client.get(self._base + path, headers=headers)
            if response.status_code in (401, 403, 404):
                raise AuthenticationError("Backstage does not accept the token")
            response.raise_for_status()
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceUnavailableError(
                "Backstage does not answer, so nobody can be identified", hint="try again"
            ) from error
        if not isinstance(body, dict):
            raise ServiceUnavailableError("Backstage answered with something else than an object")
        return body


class Authenticator:
    """From an Authorization header to a Principal. No header, no entry."""

    def __init__(self, token_file: Path, backstage: BackstageTokens | None) -> None:
        self._token_file = token_file
        self._backstage = backstage
        self._local: tuple[float, LocalToken | None] = (-1.0, None)

    async def principal(self, authorization: str | None) -> Principal:
        """The caller; raises AuthenticationError."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
            raise AuthenticationError(
                "this call needs a bearer token",
                hint="the CLI reads the one that `ml-platform up` wrote",
            )
        local = self._read_local()
        if local and (principal := local.verify(token)):
            return principal
        if self._backstage is None:
            raise AuthenticationError("the bearer token is not one of this platform")
        return await self._backstage.verify(token)

    def _read_local(self) -> LocalToken | None:
        try:
            modified = self._token_file.stat().st_mtime
        except OSError:
            return None
        if self._local[0] != modified:
            self._local = (modified, LocalToken.from_file(self._token_file))
        return self._local[1]


def require_user(principal: Principal) -> Principal:
    """The principal if it is a user; raises NotAllowedError for services."""
    if not principal.is_user:
        raise NotAllowedError(
            "this call needs a user", hint="the calling plugin must act on behalf of one"
        )
    return principal
