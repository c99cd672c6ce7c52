"""From the journal's rows to what the job API answers with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_platform.cluster.fields import entries, mapping
from ml_platform.cluster.pod_logs import OF_JOB, sources_of
from ml_platform.errors import MlPlatformError
from ml_platform.job import Phase
from ml_platform.journal_row import Row
from ml_platform.local import run_records
from ml_platform.render import WORKER_GROUP
from ml_platform.rundir import RunDirectory
from ml_platform.service import models
from ml_platform.workload import MetricInfo, Workload

_TITLES = {
    "submitted": "Committed",
    "applied": "Applied",
    "admitted": "Admitted",
    "cluster-ready": "Cluster ready",
    "running": "Running",
    "ended": "Ended",
    "archived": "Archived",
}
_END = {
    Phase.SUCCEEDED: "Succeeded",
    Phase.FAILED: "Failed",
    Phase.CANCELLED: "Cancelled",
}


# What lies ahead, again for a job that was sent back: the journal keeps when it first came by.
_AHEAD = {
    Phase.SUBMITTED: frozenset({"admitted", "cluster-ready", "running"}),
    Phase.QUEUED: frozenset({"admitted", "cluster-ready", "running"}),
    Phase.STARTING: frozenset({"running"}),
}
_LOST = "was lost: Ray, or its machine, ended under it"
# Where one Ray serves all jobs of a machine, none waits for a cluster of its own.
_ON_CLUSTERS = frozenset({"cluster-ready"})


class Views:
    """Needs the runs' folder, the workload of an image reference, and the portal's address.

    `local`: jobs run on this machine.
    """

    def __init__(
        self, runs: Path, workload_of: Callable[[str], Workload], portal_url: str, *, local: bool
    ) -> None:
        self._local = local
        self._runs = runs
        self._workload_of = workload_of
        self._portal = portal_url.rstrip("/")

    def run_directory(self, row: Row) -> RunDirectory:
        return RunDirectory(self._runs / row.job_id)

    def page_url(self, job_id: str) -> str:
        return f"{self._portal}/jobs/{job_id}"

    def workload(self, row: Row) -> Workload | None:
        """The workload as it is in the job's image; None when that image is gone."""
        try:
            return self._workload_of(row.job_spec().image)
        except MlPlatformError:
            return None

    def summary(self, row: Row) -> models.JobSummary:
        return models.JobSummary(**self._summary(row))

    def _summary(self, row: Row) -> dict[str, Any]:
        spec = row.spec
        return {
            "id": row.job_id,
            "name": spec["name"],
            "team": row.team,
            "owner": row.owner,
            "workload": spec["workload"],
            "version": spec["version"],
            "pool": spec["pool"],
            "workers": spec["workers"],
            "state": models.State(
                phase=row.phase, reason=row.reason, since=row.since, final=row.phase.final
            ),
            "attempt": row.attempt,
            "attempts": spec["attempts"],
            "submitted_at": row.submitted_at,
            "started_at": row.moment("running"),
            "ended_at": row.moment("ended"),
            "headline": self._archived_headline(row) or row.headline,
            "page_url": self.page_url(row.job_id),
        }

    def job(self, row: Row) -> models.Job:
        summary = self.run_directory(row).summary()
        if summary is None and row.outcome is not None:
            summary = row.outcome.summary
        earlier = earlier_attempts(self.run_directory(row))
        commits = [models.Commit.model_validate(commit) for commit in row.commits]
        return models.Job(
            **self._summary(row),
            spec=row.job_spec(),
            hops=hops(row, earlier, local=self._local),
            commit=commits[0],
            commits=commits,
            path=row.path,
            summary=summary,
            cause=row.reason if row.phase in (Phase.FAILED, Phase.CANCELLED) else None,
            cost=row.outcome.cost if row.outcome else None,
            earlier_attempts=earlier,
            log_sources=log_sources(row),
        )

    def metrics(self, row: Row, after: str) -> models.Metrics:
        rows, cursor = self.run_directory(row).metric_rows(after)
        workload = self.workload(row)
        known = workload.metrics if workload else {}
        names = list(known)
        for values in rows:
            names += [
                name
                for name, value in values.items()
                if name not in names
                and name not in ("step", "time", "attempt")
                and isinstance(value, int | float)
            ]
        asked = row.job_spec().parameters
        parameters = {**workload.defaults(), **asked} if workload else asked
        series = [metric_series(name, known.get(name), parameters) for name in names]
        return models.Metrics(series=series, rows=rows, cursor=cursor)

    def results(self, row: Row) -> models.Results:
        run = self.run_directory(row)
        files = [
            models.ResultFile(path=path, media_type=media, size=size, modified_at=at)
            for path, media, size, at in run.results()
        ]
        return models.Results(summary=run.summary(), files=files)

    def headline(self, row: Row) -> dict[str, Any] | None:
        """Name, title, unit and newest value of the workload's headline figure."""
        workload = self.workload(row)
        if workload is None or workload.headline is None:
            return None
        name = workload.headline
        run = self.run_directory(row)
        value = (run.summary() or {}).get(name) if row.phase.final else None
        if value is None:
            value = run.last_value(name)
        return _headline(workload, name, value)

    def _archived_headline(self, row: Row) -> dict[str, Any] | None:
        """The same from Git: the last word, and all that a journal has that was made anew."""
        if row.outcome is None or row.outcome.summary is None:
            return None
        workload = self.workload(row)
        if workload is None or workload.headline is None:
            return None
        return _headline(workload, workload.headline, row.outcome.summary.get(workload.headline))


def _headline(workload: Workload, name: str, value: Any) -> dict[str, Any] | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    info = workload.metrics[name]
    return {"name": name, "title": info.title, "unit": info.unit, "value": value}


def metric_series(
    name: str, info: MetricInfo | None, parameters: Mapping[str, Any]
) -> models.MetricSeries:
    """As a job with these parameters has it."""
    if info is None:
        return models.MetricSeries(name=name, title=name.replace("_", " ").capitalize(), unit="")
    return models.MetricSeries(
        name=name,
        title=info.title,
        unit=info.unit,
        goal=info.goal,
        reference=info.reference_for(parameters),
    )


def hops(row: Row, earlier: Sequence[models.EndedAttempt] = (), *, local: bool) -> list[models.Hop]:
    """The job's road in order; what was skipped because it ended early is left out."""
    commit = row.commits[0]
    details = {
        "submitted": f"{commit['author']}, commit {commit['sha'][:10]}",
        "admitted": _flavor(row),
        "running": "; ".join(f"attempt {a.number + 1}: {a.cause}" for a in earlier) or None,
        "ended": row.reason if row.phase.final else None,
        "archived": f"commit {row.commits[-1]['sha'][:10]}" if len(row.commits) > 1 else None,
    }
    found = []
    for name, title in _TITLES.items():
        at = None if name in _AHEAD.get(row.phase, ()) else row.moment(name)
        skipped = (row.phase.final and name != "archived") or (local and name in _ON_CLUSTERS)
        if at is None and skipped:
            continue
        shown = _END.get(row.phase, title) if name == "ended" else title
        found.append(
            models.Hop.model_validate(
                {"name": name, "title": shown, "at": at, "detail": details.get(name)}
            )
        )
    return found


def earlier_attempts(run: RunDirectory) -> list[models.EndedAttempt]:
    """Attempts that another one has followed, with what their launchers recorded."""
    return [
        models.EndedAttempt(number=claim.number, cause=claim.cause or _LOST)
        for claim in run_records.earlier_claims(run.path)
    ]


def log_sources(row: Row) -> list[models.LogSource]:
    """What the program wrote, and the pods that there are now."""
    program = models.LogSource(name=OF_JOB, title="Program", every_attempt=True)
    pods = [
        models.LogSource(name=name, title=name.replace("-", " ").title(), every_attempt=False)
        for name in sources_of(row.observed.pods)
    ]
    return [program, *pods]


def _flavor(row: Row) -> str | None:
    """The machines that the workers were admitted to: `gpu-l4-spot`."""
    admission = mapping(row.observed.workload, "status", "admission")
    for podset in entries(admission, "podSetAssignments"):
        if podset.get("name") == WORKER_GROUP:
            return ", ".join(sorted(set(mapping(podset, "flavors").values()))) or None
    return None
