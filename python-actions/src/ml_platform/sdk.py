"""The platform from Python, for scripts and notebooks.

from ml_platform import PlatformClient

with PlatformClient() as platform:
    job = platform.submit_job("stellar_optimization", "v1.0.0", preset="quick")
    print(job.page_url)
    job.wait(check=True)
    print(job.results().summary)
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from ml_platform.connection import Connection, Said, token_from_file
from ml_platform.errors import InputError, MlPlatformError
from ml_platform.job import JobSpec, Phase
from ml_platform.service import models
from ml_platform.settings import Settings


def _nothing_said(message: str, level: str) -> None:
    """For callers who do not want to hear what an action says while it works."""


class JobFailed(MlPlatformError):
    """A job ended otherwise than by success; `job` is the job."""

    name = "JobFailed"

    def __init__(self, job: Job) -> None:
        view = job.view
        cause = view.cause or view.state.reason or "no cause was given"
        super().__init__(
            f"{job.id} {view.state.phase.value}: {cause}",
            hint=f"see {view.page_url} or `ml-platform logs {job.id}`",
        )
        self.job = job


class _Answer(BaseModel):
    # A newer service may say more than this release knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Cost(_Answer):
    amount: float
    currency: str
    text: str


class Plan(_Answer):
    """What a submission would do; nothing has been done."""

    decision: str
    image: str
    path: str
    manifest: str
    cost: Cost
    expected_wait: str
    warnings: list[str]
    spec: JobSpec


class Receipt(_Answer):
    """What a submission did. `already_existed`: the same key had made this job before."""

    job_id: str
    page_url: str
    commit: str | None
    path: str
    already_existed: bool
    warnings: list[str] = []


class Job:
    """One job. What it says is as of the last `refresh`; `status` refreshes."""

    def __init__(self, connection: Connection, id: str, receipt: Receipt | None = None) -> None:
        self._connection = connection
        self._view: models.Job | None = None
        self.id = id
        self.receipt = receipt

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def refresh(self) -> models.Job:
        """Ask the service how the job stands."""
        response = self._connection.get(f"/v1/jobs/{self.id}")
        self._view = models.Job.model_validate_json(response.content, extra="ignore")
        return self._view

    @property
    def view(self) -> models.Job:
        """Everything known of the job, as of the last refresh."""
        return self._view or self.refresh()

    @property
    def status(self) -> str:
        """Where the job stands now: `submitted`, `queued`, … `succeeded`, `failed`, `cancelled`."""
        return self.refresh().state.phase.value

    @property
    def page_url(self) -> str:
        return self.receipt.page_url if self.receipt else self.view.page_url

    def manifest(self) -> str:
        """The RayJob that was committed, as YAML."""
        return self._connection.get(f"/v1/jobs/{self.id}/manifest").text

    def logs(self, tail: int | None = None, attempt: int | None = None) -> str:
        """What the job has printed so far, or its last `tail` lines."""
        path = f"/v1/jobs/{self.id}/logs"
        return self._connection.get(path, tail=tail, attempt=attempt).text

    def follow_logs(self, tail: int | None = None, attempt: int | None = None) -> Iterator[str]:
        """Pieces of text as the job prints them, until it ends."""
        path = f"/v1/jobs/{self.id}/logs"
        yield from self._connection.text_stream(path, tail=tail, attempt=attempt, follow="true")

    def metrics(self, after: str | None = None) -> models.Metrics:
        """Rows in the order written; `after`, a former answer's `cursor`, leaves out older ones."""
        response = self._connection.get(f"/v1/jobs/{self.id}/metrics", after=after)
        return models.Metrics.model_validate_json(response.content, extra="ignore")

    def results(self) -> models.Results:
        """The summary and the list of result files."""
        response = self._connection.get(f"/v1/jobs/{self.id}/results")
        return models.Results.model_validate_json(response.content, extra="ignore")

    def download_result(self, path: str, target: Path | str | None = None) -> Path:
        """Copy a result file to `target` (a file or folder; the current folder when left out)."""
        place = Path(target) if target is not None else Path()
        if place.is_dir():
            place = place / Path(path).name
        place.write_bytes(self._connection.get(f"/v1/jobs/{self.id}/results/{path}").content)
        return place

    def wait(
        self,
        timeout: float | None = None,
        *,
        poll: float = 1.0,
        check: bool = False,
        on_change: Callable[[models.Job], None] | None = None,
    ) -> Job:
        """Wait until the job has ended, in whatever way.

        `timeout` and `poll` in seconds; `on_change` hears of every new state. Raises TimeoutError,
        and JobFailed when `check` is set and the job did not succeed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        before: models.Job | None = None
        while True:
            view = self.refresh()
            if on_change is not None and (before is None or view != before):
                on_change(view)
            before = view
            if view.state.final:
                if check and view.state.phase is not Phase.SUCCEEDED:
                    raise JobFailed(self)
                return self
            if deadline is not None and time.monotonic() + poll > deadline:
                raise TimeoutError(f"{self.id} is still {view.state.phase.value} after {timeout} s")
            time.sleep(poll)

    def cancel(self, reason: str | None = None) -> str:
        """End the job; gives the phase it ended in. A job that has ended stays as it ended."""
        body = {"job_id": self.id, "reason": reason}
        output = self._connection.run_action(
            "ml:job:cancel", body, key=f"cancel-{self.id}", dry_run=False, said=_nothing_said
        )
        return str(output["state"])


class PlatformClient:
    """A connection to the platform's service.

    `server` and `token` come from ML_PLATFORM_SERVER and ML_PLATFORM_TOKEN when left out, then from
    what `ml-platform up` wrote. `timeout` (seconds) is for one answer, not for a job. `on_message`
    hears what actions say while they work: the message and its level.
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        on_message: Said = _nothing_said,
    ) -> None:
        settings = Settings()
        known = token or settings.token
        self._connection = Connection(
            server or settings.service_url,
            lambda: known or token_from_file(settings.token_file),
            timeout,
        )
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
        key = idempotency_key or str(uuid.uuid4())
        output = self._connection.run_action(
            "ml:job:submit", body, key=key, dry_run=False, said=self._said
        )
        receipt = Receipt.model_validate(output)
        return Job(self._connection, receipt.job_id, receipt)

    def plan_job(self, workload: str, version: str, **request: Any) -> Plan:
        """What `submit_job` with the same arguments would do: manifest, cost, wait, warnings."""
        body = self._request(workload, version, request)
        output = self._connection.run_action(
            "ml:job:plan", body, key=str(uuid.uuid4()), dry_run=False, said=self._said
        )
        return Plan.model_validate(output)

    def job(self, id: str) -> Job:
        """A handle on a job; nothing is asked yet."""
        return Job(self._connection, id)

    def get_job(self, id: str) -> Job:
        """A job by its id; raises NotFoundError."""
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

    def me(self) -> models.Me:
        """Who the service takes you for."""
        return models.Me.model_validate_json(self._connection.get("/v1/me").content, extra="ignore")

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
            hint=f"one of {', '.join(teams)}",
        )
