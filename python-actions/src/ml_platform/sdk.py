"""The platform from Python, for scripts and notebooks.

from ml_platform import PlatformClient

with PlatformClient() as platform:
    job = platform.submit_job(
        "stellar_optimization", "v1.0.0", team="stellarator-design", preset="quick"
    )
    print(job.page_url)
    job.wait(check=True)
    print(job.results().summary)
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from ml_platform.connection import BRIEF, Connection, Patience, Said
from ml_platform.errors import InputError
from ml_platform.job import JobSpec
from ml_platform.job_handle import Answer, Job, Receipt, nothing_said
from ml_platform.service import models
from ml_platform.service_way import way_to_service
from ml_platform.settings import Settings

__all__ = ["Job", "Plan", "PlatformClient"]


class Cost(Answer):
    amount: float
    currency: str
    text: str
    budget_left: float | None = None


class Plan(Answer):
    """What a submission would do; nothing has been done."""

    decision: str
    image: str
    path: str
    manifest: str
    cost: Cost
    expected_wait: str
    warnings: list[str]
    spec: JobSpec


class PlatformClient:
    """A connection to the platform's service; nothing is asked before the first call.

    `server` and `token` come from ML_PLATFORM_SERVER and ML_PLATFORM_TOKEN when left out. Without
    an address it is the platform of the kubecontext ML_PLATFORM_CONTEXT; then the one that
    `ml-platform up` runs on this machine; then the one of the current kubecontext's cluster, with
    the kubeconfig's bearer token. `timeout` (seconds) is for one answer, not for a job; for
    `patience` (seconds) a call to a service that is silent or too busy is tried again.
    `on_message` hears what actions say while they work: the message and its level.
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = BRIEF.seconds,
        on_message: Said = nothing_said,
    ) -> None:
        way = way_to_service(Settings(), server, token)
        self._connection = Connection(way, timeout, Patience(patience))
        self._said = on_message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def submit_job(
        self, workload: str, version: str, *, idempotency_key: str | None = None, **request: Any
    ) -> Job:
        """Start a job.

        `request`: the fields of `JobRequest` (`team`, `preset`, `parameters`, `pool`, `workers`,
        `name`, `priority`, `max_duration`, `attempts`, `tags`, …); what is left out or None is
        filled from the preset, then from the workload. The same `idempotency_key` gives the same
        job. Raises InputError naming the wrong field.
        """
        body = self._request(workload, version, request)
        key = _key(idempotency_key)
        output = self._connection.run_action(
            "ml:job:submit", body, key=key, dry_run=False, said=self._said
        )
        receipt = Receipt.model_validate(output)
        return Job(self._connection, receipt.job_id, receipt)

    def plan_job(
        self, workload: str, version: str, *, idempotency_key: str | None = None, **request: Any
    ) -> Plan:
        """What `submit_job` with the same arguments would do: manifest, cost, wait, warnings."""
        body = self._request(workload, version, request)
        key = _key(idempotency_key)
        output = self._connection.run_action(
            "ml:job:plan", body, key=key, dry_run=False, said=self._said
        )
        return Plan.model_validate(output)

    def job(self, id: str) -> Job:
        """A handle on a job; nothing is asked yet. Raises InputError for what is no id."""
        return Job(self._connection, id)

    def get_job(self, id: str) -> Job:
        """A job by its id; raises NotFoundError, and InputError for what is no id."""
        job = self.job(id)
        job.refresh()
        return job

    def list_jobs(
        self,
        *,
        team: str | None = None,
        phase: str | None = None,
        workload: str | None = None,
        owner: str | None = None,
        q: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.JobSummary]:
        """Jobs that you may see, newest first; at most `limit`, fetched page by page."""
        query = {"team": team, "phase": phase, "workload": workload, "owner": owner, "q": q}
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = min(100, left) if left is not None else 100
            response = self._connection.get("/v1/jobs", **query, limit=size, cursor=cursor)
            page = models.JobPage.model_validate_json(response.content, extra="ignore")
            yield from page.items
            cursor = page.next_cursor
            left = None if left is None else left - len(page.items)
            if cursor is None:
                return

    @property
    def way(self) -> str:
        """How the service is reached, in words."""
        return self._connection.way.described()

    def me(self) -> models.Me:
        """Who the service takes you for."""
        return models.Me.model_validate_json(self._connection.get("/v1/me").content, extra="ignore")

    def teams(self) -> list[models.TeamView]:
        """All teams; of your own also what holds up their jobs, and what they may still spend."""
        found = self._connection.get("/v1/teams").json()
        return [models.TeamView.model_validate(team, extra="ignore") for team in found]

    def _request(self, workload: str, version: str, given: dict[str, Any]) -> dict[str, Any]:
        body = {name: value for name, value in given.items() if value is not None}
        body |= {"workload": workload, "version": version}
        if "team" not in body:
            body["team"] = self._only_team()
        return body

    def _only_team(self) -> str:
        teams = self.me().teams
        if len(teams) == 1:
            return teams[0]
        if not teams:
            raise InputError("you are in no team", field="team", hint="ask for a place in one")
        raise InputError(
            "you are in several teams; name the one that pays",
            field="team",
            hint=f"`--team`, or `team=` in Python: one of {', '.join(teams)}",
        )


def _key(given: str | None) -> str:
    """The caller's idempotency key, or one of a new job; raises InputError for an empty one."""
    if given == "":
        raise InputError("is empty", field="idempotency_key", hint="leave it out for a new job")
    return given or str(uuid.uuid4())
