"""One job, as scripts and notebooks hold it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from ml_platform.connection import Connection, Patience
from ml_platform.errors import InputError, JobFailed
from ml_platform.job import DNS_LABEL, JOB_ID_MAX, Phase
from ml_platform.log_follower import LogFollower
from ml_platform.service import models

# Whoever waits for a job outlasts a restart of the service, which does not touch the job.
WATCHING_SECONDS = 120.0


def nothing_said(message: str, level: str) -> None:
    """For callers who do not want to hear what an action says while it works."""


class Answer(BaseModel):
    """What an action has put out."""

    # A newer service may say more than this release knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Receipt(Answer):
    """What a submission did. `already_existed`: the same key had made this job before."""

    job_id: str
    page_url: str
    commit: str | None
    path: str
    already_existed: bool
    warnings: list[str] = []


class Job:
    """One job. What it says is as of the last `refresh`; `status` refreshes.

    Raises InputError when `id` cannot be the id of a job.
    """

    def __init__(self, connection: Connection, id: str, receipt: Receipt | None = None) -> None:
        # It becomes part of an address: anything else would ask for another page.
        if not re.fullmatch(DNS_LABEL, id) or len(id) > JOB_ID_MAX:
            raise InputError(
                f"{id[:80]!r} is not the id of a job",
                field="job",
                hint="`ml-platform list` shows yours",
            )
        self._connection = connection
        self._view: models.Job | None = None
        self.id = id
        self.receipt = receipt

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def refresh(self) -> models.Job:
        """Ask the service how the job stands."""
        return self._refreshed()

    def _refreshed(self, patience: Patience | None = None) -> models.Job:
        response = self._connection.get(f"/v1/jobs/{self.id}", patience)
        self._view = models.Job.model_validate_json(response.content, extra="ignore")
        return self._view

    @property
    def _watching(self) -> Patience:
        return Patience(WATCHING_SECONDS, f"{self.id} goes on")

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

    def logs(self, tail: int | None = None, attempt: int | None = None, source: str = "job") -> str:
        """What the job has printed so far, or its last `tail` lines.

        `attempt`: of one attempt only, the first is 0. `source`: on a cluster also `submitter`,
        `head` or `worker-<n>`, a pod of the newest attempt.
        """
        path = f"/v1/jobs/{self.id}/logs"
        return self._connection.get(path, tail=tail, attempt=attempt, source=source).text

    def follow_logs(
        self, tail: int | None = None, attempt: int | None = None, source: str = "job"
    ) -> Iterator[str]:
        """Pieces of text as they are printed, until the job ends; arguments as for `logs`.

        When the connection breaks, it goes on where it stopped as soon as the service is back.
        """

        def is_over() -> bool:
            view = self._refreshed(self._watching)
            earlier = attempt is not None and attempt < view.attempt
            return view.state.final or earlier or source != "job"

        query = {"attempt": attempt, "source": source}
        path = f"/v1/jobs/{self.id}/logs"
        yield from LogFollower(self._connection, path, query, is_over).pieces(tail)

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
        address = f"/v1/jobs/{self.id}/results/{quote(path)}"
        place.write_bytes(self._connection.get(address).content)
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

        `timeout` and `poll` in seconds; `on_change` hears of every new state. A service that is
        silent for less than two minutes is waited for. Raises TimeoutError, and JobFailed when
        `check` is set and the job did not succeed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        before: models.Job | None = None
        while True:
            view = self._refreshed(self._watching)
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
            "ml:job:cancel", body, key=f"cancel-{self.id}", dry_run=False, said=nothing_said
        )
        return str(output["state"])
