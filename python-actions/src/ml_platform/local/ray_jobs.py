"""The Jobs API of the local Ray, over plain HTTP.

`ray.job_submission` would do the same calls, but importing Ray costs the service seconds and some
hundred megabytes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ml_platform.errors import ServiceUnavailableError, WorkError

TIMEOUT_SECONDS = 5.0
SUBMIT_TIMEOUT_SECONDS = 30.0  # the first submission waits for Ray's job agent
ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_WRONG_REQUEST = re.compile(r"\b(ValueError|TypeError)\b")


@dataclass(frozen=True)
class RayJobInfo:
    """One submission as Ray sees it: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""

    status: str
    message: str
    exit_code: int | None


def ray_token() -> str | None:
    """The token that Ray's own clients would use; None when the mode is not `token`."""
    if os.environ.get("RAY_AUTH_MODE") != "token":
        return None
    token = os.environ.get("RAY_AUTH_TOKEN")
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if not token and path:
        token = Path(path).read_text(encoding="utf-8").strip()
    return token or None


class RayJobs:
    """Every method raises ServiceUnavailableError while Ray does not answer."""

    def __init__(self, address: str, token: str | None, timeout: float = TIMEOUT_SECONDS) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=address, headers=headers, timeout=timeout, trust_env=False
        )

    def close(self) -> None:
        self._http.close()

    def session(self) -> str:
        """Name of the running Ray: another one after each start, since a new Ray knows no jobs."""
        return str(self._call("GET", "/api/version").json()["session_name"])

    def has_node(self) -> bool:
        """Whether there is a node to run jobs. Ray's API answers earlier, and also where the node's start
        has failed and all of Ray is about to end."""
        answer = self._call("GET", "/nodes", params={"view": "summary", "nocache": "1"})
        try:
            nodes = answer.json()["data"].get("summary", [])
            return any(node.get("raylet", {}).get("state") == "ALIVE" for node in nodes)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False

    def status(self, submission: str) -> RayJobInfo | None:
        """None when this Ray does not know the submission."""
        answer = self._call("GET", f"/api/jobs/{submission}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        body = answer.json()
        code = body.get("driver_exit_code")
        return RayJobInfo(str(body["status"]), str(body.get("message") or ""), code)

    def submit(
        self,
        submission: str,
        entrypoint: str,
        runtime_env: dict[str, Any],
        metadata: dict[str, str],
    ) -> None:
        """Hand it over once: a submission that Ray already has is success, so that a repeated
        call runs nothing twice. Raises WorkError when Ray refuses it."""
        body = {
            "submission_id": submission,
            "entrypoint": entrypoint,
            "runtime_env": runtime_env,
            "metadata": metadata,
        }
        answer = self._call(
            "POST", "/api/jobs/", refusable=True, json=body, timeout=SUBMIT_TIMEOUT_SECONDS
        )
        if not answer.is_error or self.status(submission) is not None:
            return
        reason = ([line for line in answer.text.splitlines() if line.strip()] or ["?"])[-1][:300]
        # Ray answers 500 both to a wrong request and while its job agent is starting.
        if answer.is_client_error or _WRONG_REQUEST.search(answer.text):
            raise WorkError(f"Ray refused the submission: {reason}")
        raise ServiceUnavailableError(f"Ray does not take submissions: {reason}")

    def stop(self, submission: str) -> None:
        """Ask for the end; calling again, or for an ended submission, changes nothing."""
        self._call("POST", f"/api/jobs/{submission}/stop", refusable=True)

    def _call(
        self, method: str, path: str, *, refusable: bool = False, **more: Any
    ) -> httpx.Response:
        """The answer; 404 always is one, other errors only where a refusal means something."""
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise ServiceUnavailableError(
                f"Ray does not answer: {str(error) or type(error).__name__}",
                hint="`ml-platform up` starts it",
            ) from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise ServiceUnavailableError(
                "Ray refuses the token", hint="restart Ray and the service with the same token"
            )
        if answer.is_error and not refusable and answer.status_code != httpx.codes.NOT_FOUND:
            raise ServiceUnavailableError(f"Ray does not answer: HTTP {answer.status_code}")
        return answer
