"""Teams, machines and jobs of one test of queues, beside whatever else the cluster has.

The machines are of no node: what is admitted is seen at its Workload, and its pods wait for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from admission_world import RAY
from job_strategies import IDENTITY
from testbed.objects import Objects
from testbed.waiting import wait_until

from ml_platform.cluster.waiting import queue_reason
from ml_platform.job import HeadResources, JobSpec, Priority
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pool, Pools
from ml_platform.queues import API, COHORT, local_queue, queue_objects
from ml_platform.render import render
from ml_platform.team import Team
from ml_platform.team_files import namespace

Document = dict[str, Any]
KINDS = {
    "cluster-queues": "ClusterQueue",
    "cohorts": "Cohort",
    "resource-flavors": "ResourceFlavor",
}


def team(name: str, **more: Any) -> Team:
    return Team(name=name, title=name, group=f"group:default/{name}", **more)


class Queues:
    """Teams `a` and `b` with machines of their own, and the jobs that they submit."""

    def __init__(self, admin: Objects, argo_cd: Objects, registry: str, prefix: str) -> None:
        self.admin, self._argo_cd = admin, argo_cd
        self._registry, self._prefix = registry, prefix
        self._objects: list[Document] = []
        self._teams: list[Team] = []
        self._jobs: list[tuple[str, str]] = []

    def share(self, pools: Sequence[Pool], teams: Sequence[Team]) -> None:
        """Set up what the generator makes of pools and teams, under names of this test."""
        mine = [pool.model_copy(update={"name": self.name(pool.name)}) for pool in pools]
        for given in teams:
            quota = {self.name(pool): workers for pool, workers in given.quota.items()}
            renamed = {"name": self.name(given.name), "quota": quota}
            self._teams.append(given.model_copy(update=renamed))
        made = queue_objects(Pools(currency="USD", pools=tuple(mine)), self._teams)
        for cohort in made["cohorts"]:
            cohort["metadata"]["name"] = self.name(COHORT)
        for queue in made["cluster-queues"]:
            queue["spec"]["cohortName"] = self.name(COHORT)
        for kind in reversed(KINDS):
            self._objects += made[kind]
        for one in self._teams:
            account = {"name": "ray", "namespace": one.name}
            self.admin.apply(namespace(one))
            self.admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        for document in (*self._objects, *made["priority-classes"]):
            self.admin.apply(document)
        for one in self._teams:
            self.admin.apply(local_queue(one))
            wait_until(lambda one=one: self._is_active(one.name), f"{one.name} to be active")

    def _is_active(self, name: str) -> bool:
        queue = self.admin.get(API, "ClusterQueue", name)
        return _holds(queue, "Active")

    def submit(
        self, job: str, owner: str, pool: str, workers: int, priority: Priority = Priority.NORMAL
    ) -> None:
        spec = JobSpec(
            name=job,
            team=self.name(owner),
            workload="tiny",
            version="v1",
            image=f"{self._registry}/tiny@sha256:" + "0" * 64,
            entrypoint=("python",),
            pool=self.name(pool),
            workers=workers,
            cpu=1.0,
            memory="1Gi",
            gpus=1,
            head=HeadResources(cpu=0.5, memory="1Gi"),
            priority=priority,
            max_duration="1h",
            attempts=1,
        )
        machine = Pool(name=spec.pool, title=spec.pool, cpu=8, memory="32Gi", gpus=1)
        manifest = render(spec, IDENTITY, machine, RunStorage("gs://runs"))
        manifest["metadata"]["name"] = manifest["metadata"]["labels"]["ml-platform/job-id"] = job
        self._argo_cd.create(manifest)
        self._jobs.append((job, spec.team))

    def cancel(self, job: str) -> None:
        (owner,) = [team for name, team in self._jobs if name == job]
        self._argo_cd.delete(RAY, "RayJob", job, owner)
        self._jobs.remove((job, owner))
        wait_until(lambda: self.workload(job, owner) is None, f"the workload of {job} to go")

    def workload(self, job: str, owner: str | None = None) -> Document | None:
        owner = owner or dict(self._jobs)[job]
        for found in self.admin.list(API, "Workload", owner):
            owners = [o["name"] for o in found["metadata"].get("ownerReferences", [])]
            if job in owners:
                return found
        return None

    def admitted(self) -> set[str]:
        return {job for job, _ in self._jobs if _holds(self.workload(job), "Admitted")}

    def becomes_admitted(self, *jobs: str, seconds: float = 60) -> None:
        """Wait until just these jobs are admitted."""
        wait_until(
            lambda: self.admitted() == set(jobs),
            f"only {', '.join(jobs)} to be admitted",
            seconds,
            explain=lambda: "\n".join(f"{job}: {self._conditions(job)}" for job, _ in self._jobs),
        )

    def _conditions(self, job: str) -> dict[str, str]:
        conditions = ((self.workload(job) or {}).get("status") or {}).get("conditions", [])
        return {c["type"]: f"{c['status']} {c['message']}" for c in conditions}

    def flavors(self, job: str) -> dict[str, str]:
        """Kind of pod → the machines it was admitted to, without the test's prefix."""
        workload = self.workload(job)
        assert workload is not None
        return {
            pods["name"]: pods["flavors"]["cpu"].removeprefix(f"{self._prefix}-")
            for pods in workload["status"]["admission"]["podSetAssignments"]
        }

    def reason(self, job: str) -> str | None:
        """Why a job waits, as its page says it."""
        owner = dict(self._jobs)[job]
        queue = self.admin.get(API, "ClusterQueue", owner)
        return queue_reason(self.workload(job), queue)

    def says(self, job: str, words: str) -> None:
        """Wait until a job's page says so of why it waits."""
        wait_until(
            lambda: words in (self.reason(job) or ""),
            f"{job} to say {words!r}",
            explain=lambda: str(self.reason(job)),
        )

    def name(self, short: str) -> str:
        return f"{self._prefix}-{short}"

    def close(self) -> None:
        for job, _ in list(self._jobs):
            self.cancel(job)
        for one in self._teams:
            self.admin.delete("v1", "Namespace", one.name)
        for document in reversed(self._objects):
            kind, name = document["kind"], document["metadata"]["name"]
            self.admin.delete(API, kind, name)
            wait_until(lambda k=kind, n=name: self.admin.find(API, k, n) is None, f"{name} to go")


def _holds(document: Document | None, condition: str) -> bool:
    conditions = ((document or {}).get("status") or {}).get("conditions", [])
    return any(c["type"] == condition and c["status"] == "True" for c in conditions)
