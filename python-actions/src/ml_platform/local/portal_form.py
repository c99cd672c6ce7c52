"""A job through the portal, as the form does it: the same template, the same API."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml

from ml_platform.errors import ServiceUnavailableError, WorkError

TEMPLATE = "submit-training-job"
EXAMPLE = f"templates/{TEMPLATE}/examples/valid/quick-preset.yaml"
TASK_SECONDS = 300.0
FINAL = ("completed", "failed", "cancelled")


def example_values(root: Path) -> dict[str, Any]:
    """What a person would fill in, from the template's own example."""
    values: dict[str, Any] = yaml.safe_load((root / EXAMPLE).read_text())["values"]
    return values


class Portal:
    """Backstage as a guest sees it."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=30.0, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def sign_in(self) -> None:
        """Become the portal's guest."""
        answer = self._asked("GET", "/api/auth/guest/refresh")
        self._http.headers["Authorization"] = f"Bearer {answer['backstageIdentity']['token']}"

    def wait_for_template(self, within: float) -> None:
        """The catalogue reads its files after the start; until then there is no template."""
        deadline = time.monotonic() + within
        path = f"/api/catalog/entities/by-name/template/default/{TEMPLATE}"
        while self._http.get(path).status_code != 200:
            if time.monotonic() > deadline:
                raise WorkError(
                    f"the portal has not read the template {TEMPLATE} within {within:g} s",
                    hint="see the log backstage.log",
                )
            time.sleep(0.2)

    def submit(self, values: dict[str, Any], said: Callable[[str], None]) -> str:
        """Fill in the form and send it; gives the address of the job's page."""
        body = {"templateRef": f"template:default/{TEMPLATE}", "values": values}
        task = self._asked("POST", "/api/scaffolder/v2/tasks", json=body)["id"]
        said(f"the portal runs the template as task {task}")
        deadline = time.monotonic() + TASK_SECONDS
        while True:
            state = self._asked("GET", f"/api/scaffolder/v2/tasks/{task}")
            if state["status"] in FINAL:
                break
            if time.monotonic() > deadline:
                raise WorkError(
                    f"the task has not ended within {TASK_SECONDS:g} s",
                    hint=f"see it at /create/tasks/{task} of the portal, and the log backstage.log",
                )
            time.sleep(0.1)
        events = self._asked("GET", f"/api/scaffolder/v2/tasks/{task}/events")
        if state["status"] != "completed":
            raise WorkError(f"the task {state['status']}: {_last_words(events)}")
        done = next(event for event in reversed(events) if event["type"] == "completion")
        return str(done["body"]["output"]["links"][0]["url"])

    def get(self, path: str) -> Any:
        """The JSON at a path of the portal's backends."""
        return self._asked("GET", path)

    def _asked(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ServiceUnavailableError(f"the portal does not answer: {error}") from error
        if not response.is_success:
            raise WorkError(f"the portal answered {response.status_code}: {response.text[:300]}")
        return response.json()


def _last_words(events: list[dict[str, Any]]) -> str:
    for event in reversed(events):
        body = event.get("body", {})
        if body.get("error"):
            return str(body["error"].get("message", body["error"]))
    return str(events[-1].get("body", {}).get("message", "no reason")) if events else "no reason"
