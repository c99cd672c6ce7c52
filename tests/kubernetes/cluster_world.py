"""Clusters as the adapter meets them: a journal with committed jobs, and API servers to fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api_server import ARGOCD, KUEUE, RAY, ApiServer
from commit_world import TEAM, committing, new_repository, submission
from ray_fixture import eventually

from ml_platform.cluster.kubernetes import KubernetesCluster
from ml_platform.journal import SqliteJournal
from ml_platform.journal_row import Row
from ml_platform.repository.git import GitopsRepository
from ml_platform.settings import ArgoCd, WorkloadCluster

RAYJOBS, WORKLOADS = f"{RAY}/rayjobs", f"{KUEUE}/workloads"
QUEUES, COHORTS = f"{KUEUE}/clusterqueues", f"{KUEUE}/cohorts"
PODS, EVENTS = "/api/v1/pods", "/api/v1/events"
APPLICATIONS = f"{ARGOCD}/applications"
OURS = {"app.kubernetes.io/managed-by": "ml-platform"}
FOLDER = f"jobs/{TEAM}/000"


class ClusterWorld:
    """One API server that is both Argo CD's and the jobs'."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.repository_path = new_repository(folder / "git")
        self.journal_file = folder / "journal.db"
        self.journal = SqliteJournal(self.journal_file)
        self.kubeconfig = server.kubeconfig(folder)
        self.cluster = self.new_cluster()

    def new_cluster(self) -> KubernetesCluster:
        """The adapter, as a process that starts makes it."""
        return KubernetesCluster(
            [WorkloadCluster(name="one", kubeconfig=self.kubeconfig)],
            ArgoCd(kubeconfig=self.kubeconfig),
            self.journal,
        )

    def stop(self) -> None:
        self.cluster.stop()
        self.journal.close()

    def commit(self, name: str) -> str:
        """A committed job that the journal knows; gives its id."""
        order = submission(name)
        with committing(self.repository_path, self.journal_file) as committer:
            committer.submit(order).result(60)
        self.sync()
        return order.job_id

    def sync(self) -> None:
        repository = GitopsRepository(self.repository_path)
        self.journal.sync(repository, repository.head())

    def row(self, job_id: str) -> Row:
        return self.journal.get(job_id)

    def shows(self, job_id: str, phase: str, reason: str | None = None, attempt: int = 0) -> None:
        """Wait until the job stands so."""
        wanted = (phase, reason, attempt)

        def stands() -> bool:
            row = self.row(job_id)
            return (row.phase.value, row.reason, row.attempt) == wanted

        try:
            eventually(stands, 20)
        except BaseException:
            row = self.row(job_id)
            print("stands:", row.phase.value, row.reason, row.attempt)
            raise

    def application(self, **status: Any) -> None:
        self.server.put(
            APPLICATIONS,
            {
                "metadata": {"namespace": "argocd", "name": f"jobs-{TEAM}-000"},
                "spec": {"source": {"path": FOLDER}},
                "status": status,
            },
        )

    def rayjob(self, job_id: str, status: dict[str, Any] | None = None, **spec: Any) -> None:
        metadata = {
            "namespace": TEAM,
            "name": job_id,
            "uid": f"uid-{job_id}",
            "labels": OURS,
            "creationTimestamp": "2026-11-26T10:00:00Z",
        }
        item = {"metadata": metadata, "spec": spec, "status": status or {}}
        self.server.put(RAYJOBS, item)

    def workload(self, job_id: str, *conditions: dict[str, str], **status: Any) -> None:
        put_workload(self.server, TEAM, job_id, *conditions, **status)

    def pod(self, job_id: str, name: str, role: str | None, **more: Any) -> None:
        """`role`: head or worker; None for the submitter."""
        labels = {**OURS, "ml-platform/job-id": job_id}
        labels |= {"ray.io/node-type": role, "ray.io/cluster": "c"} if role else {"job-name": "x"}
        metadata = {
            "namespace": TEAM,
            "name": name,
            "labels": {**labels, **more.pop("labels", {})},
            "creationTimestamp": more.pop("created", "2026-11-26T10:01:00Z"),
        }
        container = {"name": f"ray-{role}" if role else "ray-job-submitter"}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], **more}
        self.server.put(
            PODS, {"metadata": metadata, "spec": {"containers": [container]}, "status": status}
        )


RUNNING = {
    "jobDeploymentStatus": "Running",
    "jobStatus": "RUNNING",
    "rayClusterName": "c",
    "rayJobInfo": {"startTime": "2026-11-26T10:03:00Z"},
    "rayClusterStatus": {"stateTransitionTimes": {"ready": "2026-11-26T10:02:00Z"}},
    "message": "Job is currently running.",
}
ADMITTED = {"type": "Admitted", "status": "True", "lastTransitionTime": "2026-11-26T10:00:30Z"}


def put_workload(
    server: ApiServer, team: str, job_id: str, *conditions: dict[str, str], **status: Any
) -> None:
    """Kueue's Workload of a job."""
    metadata = {
        "namespace": team,
        "name": f"rayjob-{job_id}-1a2b3",
        "ownerReferences": [{"kind": "RayJob", "name": job_id}],
    }
    spec = {"queueName": team, "active": True, "podSets": [{"template": {"big": "x"}}]}
    item = {"metadata": metadata, "spec": spec}
    server.put(WORKLOADS, {**item, "status": {"conditions": list(conditions), **status}})


def no_quota(amount: str = "1") -> dict[str, str]:
    message = (
        "couldn't assign flavors to pod set workers: insufficient unused quota for "
        f"nvidia.com/gpu in flavor gpu-l4, {amount} more needed"
    )
    return {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": message}
