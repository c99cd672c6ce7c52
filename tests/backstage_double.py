"""A Backstage on loopback, as far as the service sees it: keys per plugin, and who a user token is of.

Paths and shapes are those of `@backstage/backend-defaults` (plugin tokens) and
`@backstage/plugin-auth-backend` (`/v1/userinfo`).
"""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

TYPE = "vnd.backstage.plugin"


class BackstageDouble:
    """Signs with keys of its own; `published` says which of them it tells others."""

    def __init__(self) -> None:
        self.published: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.rotate()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body = outer.answer(self.path, self.headers.get("Authorization"))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Silent: what was asked is in `asked`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate(self, *, publish: bool = True) -> None:
        """Sign with a new key from now on."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_id = str(uuid.uuid4())
        if publish:
            jwk = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
            self.published[self.key_id] = {**jwk, "kid": self.key_id, "alg": "ES256", "use": "sig"}

    def answer(self, path: str, authorization: str | None) -> tuple[int, Any]:
        if path.startswith("/api/") and path.endswith("/.backstage/auth/v1/jwks.json"):
            return 200, {"keys": list(self.published.values())}
        if path == "/api/auth/v1/userinfo":
            token = (authorization or "").removeprefix("Bearer ")
            try:
                return 200, {"claims": json.loads(base64.urlsafe_b64decode(token))}
            except ValueError:
                return 401, {"error": {"name": "AuthenticationError"}}
        return 404, {"error": {"name": "NotFoundError"}}

    def user_token(self, user: str, groups: tuple[str, ...]) -> str:
        """What stands in `obo`. Only this Backstage reads it, so it needs no signature here."""
        claims = json.dumps({"sub": user, "ent": [user, *groups]}).encode()
        return base64.urlsafe_b64encode(claims).decode()

    def plugin_token(
        self, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None
    ) -> str:
        """A token of the plugin `scaffolder` for `ml-platform`, with changes (None removes)."""
        now = int(time.time())
        body = {"sub": "scaffolder", "aud": "ml-platform", "iat": now, "exp": now + 3600}
        body = {k: v for k, v in {**body, **(claims or {})}.items() if v is not None}
        head = {"typ": TYPE, "kid": self.key_id, **(header or {})}
        return jwt.encode(body, self.key, algorithm="ES256", headers=head)

    def token_of(self, user: str, *groups: str) -> str:
        """What the scaffolder sends on behalf of a user."""
        return self.plugin_token({"obo": self.user_token(user, groups)})
