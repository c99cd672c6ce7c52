"""Callers whom Backstage vouches for: its plugin token, with the user behind it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt

from ml_platform.errors import AuthenticationError, ServiceUnavailableError
from ml_platform.service.auth import PLUGIN_TOKEN_TYPE, Principal

KEYS_LIFETIME = 3600.0
USER_LIFETIME = 60.0


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
