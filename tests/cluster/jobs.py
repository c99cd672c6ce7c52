"""What tests ask about a job on the cluster: its RayJob, its Workload, its pods, its attempts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testbed.cluster import Cluster
from testbed.waiting import wait_until

from ml_platform.job_handle import Job
from ml_platform.service import models

RAY, KUEUE = "ray.io/v1", "kueue.x-k8s.io/v1beta2"
JOB_LABEL = "ml-platform/job-id"
Document = dict[str, Any]


def state_of(said: models.State | Document) -> Document:
    """A job's state in one spelling, whoever says it."""
    state = models.State.model_validate(said if isinstance(said, dict) else said.model_dump())
    return state.model_dump(mode="json")


class JobOnCluster:
    """A job of a team as the API server has it."""

    def __init__(self, cluster: Cluster, job: Job, team: str) -> None:
        self.cluster, self.job, self.team = cluster, job, team
        self.id = job.id

    @property
    def rayjob(self) -> Document | None:
        return self.cluster.objects.find(RAY, "RayJob", self.id, self.team)

    @property
    def uid(self) -> str | None:
        found = self.rayjob
        return found and str(found["metadata"]["uid"])

    @property
    def status(self) -> Document:
        return (self.rayjob or {}).get("status") or {}

    @property
    def workload(self) -> Document | None:
        """Kueue's Workload of the RayJob."""
        for item in self.cluster.objects.list(KUEUE, "Workload", self.team):
            owners = item["metadata"].get("ownerReferences", [])
            if any(owner["name"] == self.id for owner in owners):
                return item
        return None

    def pods(self, kind: str | None = None) -> list[Document]:
        """Its pods that are not being deleted; `kind`: head or worker."""
        selector = f"{JOB_LABEL}={self.id}"
        if kind is not None:
            selector += f",ray.io/node-type={kind}"
        found = self.cluster.objects.list("v1", "Pod", self.team, selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def attempts(self) -> list[int]:
        """Numbers that launchers have claimed in the run directory."""
        folder = self.cluster.runs / self.id / "attempts"
        return sorted(int(path.name) for path in folder.iterdir()) if folder.exists() else []

    def checkpoints(self, attempt: int) -> int:
        folder = self.cluster.runs / self.id / "checkpoints" / str(attempt)
        return len(list(folder.iterdir())) if folder.exists() else 0

    def steps(self, attempt: int) -> int:
        """How many steps an attempt has recorded; of its checkpoints only the newest are kept."""
        return len(list((self.cluster.runs / self.id / "metrics").glob(f"{attempt}-*.jsonl")))

    def summary(self) -> Document:
        path = self.cluster.runs / self.id / "results" / "summary.json"
        content: Document = json.loads(path.read_text())
        return content

    def wait_applied(self, seconds: float = 30.0) -> str:
        """Until the RayJob is there; its uid."""
        uid = wait_until(
            lambda: self.uid,
            f"{self.id} is applied",
            seconds,
            explain=lambda: self.cluster.why_not_synced(f"jobs-{self.team}-000"),
        )
        return str(uid)

    def wait_phase(self, *phases: str, seconds: float = 240.0) -> None:
        wait_until(
            lambda: self.job.status in phases,
            f"{self.id} is {' or '.join(phases)}",
            seconds,
            pause=0.5,
            explain=self.why,
        )

    def wait_checkpoints(self, attempt: int, count: int, seconds: float = 480.0) -> None:
        wait_until(
            lambda: self.checkpoints(attempt) >= count,
            f"attempt {attempt} of {self.id} has {count} checkpoints",
            seconds,
            pause=0.3,
            explain=self.why,
        )

    def wait_archived(self, seconds: float = 90.0) -> None:
        """Until its manifest is in the archive and its RayJob is gone."""
        wait_until(
            lambda: self.job.refresh().path.startswith("archive/"),
            f"{self.id} is archived",
            seconds,
            explain=self.why,
        )
        wait_until(lambda: self.rayjob is None, f"{self.id} is pruned", seconds)

    def why(self) -> str:
        view = self.job.refresh()
        pods = {pod["metadata"]["name"]: pod["status"].get("phase") for pod in self.pods()}
        return (
            f"{view.state.phase.value}: {view.state.reason}; RayJob {self.status}; pods {pods}\n"
            f"log: {self.job.logs(tail=20)}"
        )


class Walk:
    """Follows a job to its end; `agreed` are the phases at which all `views` (by name) said the same of its
    state: phase, reason, since when and whether it is the last.

    A view is asked only where the job may stand still: what moved meanwhile is not compared.
    `on_agreed` is told of each phase on which they have agreed.
    """

    def __init__(
        self,
        on_cluster: JobOnCluster,
        views: Callable[[], dict[str, Document]],
        on_agreed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.on_cluster, self.agreed = on_cluster, list[str]()
        self._views, self._on_agreed = views, on_agreed

    def look(self) -> bool:
        """Compare the views where the phase is a new one; True once the job has ended."""
        before = state_of(self.on_cluster.job.refresh().state)
        phase = str(before["phase"])
        if phase in self.agreed:
            return bool(before["final"])
        seen = self._views()
        if state_of(self.on_cluster.job.refresh().state) == before:
            assert seen == dict.fromkeys(seen, before)
            self.agreed.append(phase)
            self._on_agreed(phase)
        return False

    def seen_by_all(self) -> set[str]:
        """Phases that the views say now."""
        return {str(state["phase"]) for state in self._views().values()}


def follow(*walks: Walk, seconds: float = 300.0) -> None:
    """Jobs side by side until each has ended, since all wait for Ray most of the time."""
    wait_until(
        # Every walk looks, whatever the one before has seen.
        lambda: sum(walk.look() for walk in walks) == len(walks),
        f"{', '.join(walk.on_cluster.id for walk in walks)} have ended",
        seconds,
        pause=0.2,
        explain=lambda: "\n".join(walk.on_cluster.why() for walk in walks),
    )
