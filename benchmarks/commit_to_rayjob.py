"""From a commit to its RayJob through Argo CD, with 1,000 active jobs, against `kubectl apply`.

SHARDS=16 make bench NAME=commit_to_rayjob gives the team so many folders, by itself 64.
The test cluster's control plane runs with the shipped settings (it is started when it is not up). The
jobs wait in a queue that is held, so that no pod competes for the machine: what is measured is Git,
Argo CD, admission policies, Kueue's webhooks and the API server.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from platform_service import PlatformService
from probe_job import probe_manifest
from testbed.cluster import Cluster
from testbed.objects import ApiError
from testbed.teams import add_team, remove_team
from testbed.waiting import wait_until

from benchmarks.cluster import QUEUES, Seen, any_cluster, cpu_seconds, name_of, since
from benchmarks.report import Report, percentile
from ml_platform.cluster.application import is_operating, is_synced
from ml_platform.repository import layout
from ml_platform.repository.bursts import Bursts
from ml_platform.repository.git import GitopsRepository
from ml_platform.yaml_document import to_yaml

TEAM = "bench"
SHARDS = int(os.environ.get("SHARDS", "64"))
ACTIVE, SINGLE, SUSTAINED, SWEEP = 1000, 60, 200, 100
LOOK_SECONDS, AT_REST_CORES = 5.0, 0.3
RAYJOBS = ("ray.io", "v1", "rayjobs")


def run() -> Report:
    """Fill the team, then measure single jobs, as many as can be, and one commit of many."""
    report = Report("commit_to_rayjob")
    with any_cluster() as cluster, tempfile.TemporaryDirectory(prefix="bench-") as name:
        platform = PlatformService(cluster, Path(name))
        add_team(cluster, TEAM, shards=SHARDS)
        try:
            _measure(report, cluster, platform)
        finally:
            platform.stop()
            remove_team(cluster, TEAM)
    return report


def _measure(report: Report, cluster: Cluster, platform: PlatformService) -> None:
    hold = {"spec": {"stopPolicy": "Hold"}}
    cluster.objects.patch(QUEUES, "LocalQueue", TEAM, hold, TEAM)
    platform.record_probe()
    platform.start()
    with Seen(cluster, RAYJOBS, name_of, TEAM) as seen:
        _fill(report, cluster, seen)
        _settle(cluster)
        _at_rate(report, platform, seen, 1.0, "")
        _settle(cluster)
        _at_rate(report, platform, seen, 2.5, "quick_")
        _settle(cluster)
        _as_many_as_can_be(report, cluster, platform, seen)
        _settle(cluster)
        _sweep(report, cluster, seen)


def _fill(report: Report, cluster: Cluster, seen: Seen) -> None:
    """As many in each folder, as after many single jobs."""
    jobs = [
        probe_manifest(cluster.image, TEAM, name="active", pool="fake-gpu") for _ in range(ACTIVE)
    ]
    files = {
        layout.job_file(TEAM, f"{number % SHARDS:03d}", job["metadata"]["name"]): to_yaml(job)
        for number, job in enumerate(jobs)
    }
    began = time.time()
    _commit(cluster, files, "Many")
    names = {job["metadata"]["name"] for job in jobs}
    seen.wait(names, 1200)
    took = max(seen.at[name] for name in names) - began
    note = f"{ACTIVE} jobs in one commit, evenly in {SHARDS} folders"
    report.add("fill_jobs_per_s", ACTIVE / took, note)


def _commit(cluster: Cluster, files: dict[str, str], message: str) -> None:
    """As somebody who asks Argo CD to look at once."""
    cluster.repository.commit(files, message)
    for folder in sorted({path.rpartition("/")[0] for path in files}):
        cluster.refresh(folder.replace("/", "-"))


def _settle(cluster: Cluster) -> None:
    """Until KubeRay, Kueue and Argo CD have caught up with all that was made at once."""

    def settled() -> bool:
        try:
            jobs = cluster.objects.list("ray.io/v1", "RayJob", TEAM)
        except ApiError as error:
            if error.status:
                raise
            return False  # it is too busy to answer
        rest = [job for job in jobs if _deployment(job) != "Suspended"]
        applications = cluster.objects.list(
            "argoproj.io/v1alpha1", "Application", "argocd", selector=f"ml-platform/team={TEAM}"
        )
        return not rest and all(is_synced(one) and not is_operating(one) for one in applications)

    wait_until(settled, "the cluster has caught up", 600, pause=2)
    wait_until(partial(_is_at_rest, cluster), "the control plane is at rest", 300, pause=0)


def _is_at_rest(cluster: Cluster) -> bool:
    """Whether little is done in some seconds. A cluster that was given does not show it."""
    before = cpu_seconds(cluster)
    time.sleep(LOOK_SECONDS)  # what is used meanwhile is what is looked at
    return sum(since(before, cpu_seconds(cluster)).values()) < AT_REST_CORES * LOOK_SECONDS


def _deployment(job: dict[str, Any]) -> str | None:
    status: dict[str, str] = job.get("status", {})
    return status.get("jobDeploymentStatus")


def _at_rate(
    report: Report, platform: PlatformService, seen: Seen, per_second: float, prefix: str
) -> None:
    """The time from each commit's acknowledgement to its RayJob."""
    committed: dict[str, float] = {}
    service = platform.client
    began = time.monotonic()
    for number in range(SINGLE):
        # The rate is kept: a slow answer does not put off the jobs after it.
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        job = service.submit_job("probe", "v1", team=TEAM, pool="fake-gpu")
        committed[job.id] = time.time()
    seen.wait(committed, 300)
    delays = [max(0.0, seen.at[job] - at) for job, at in committed.items()]
    note = f"{per_second:g} jobs/s, {SINGLE} of them on top of {ACTIVE} active jobs"
    report.add(f"{prefix}p50_s", percentile(delays, 50), f"commit to RayJob, {note}")
    report.add(f"{prefix}p95_s", percentile(delays, 95), "the same; at 1 job/s goal 1, bar 2")
    report.add(f"{prefix}max_s", max(delays), "the slowest of them")


def _as_many_as_can_be(
    report: Report, cluster: Cluster, platform: PlatformService, seen: Seen
) -> None:
    before = cpu_seconds(cluster)
    committed = _submit_all(platform, SUSTAINED)
    seen.wait(committed, 600)
    took = max(seen.at[job] for job in committed) - min(committed.values())
    note = f"{SUSTAINED} more jobs by 16 clients, until the last RayJob is there; goal 10"
    report.add("sustained_jobs_per_s", SUSTAINED / took, note)
    _settle(cluster)
    spent = sum(since(before, cpu_seconds(cluster)).values()) / SUSTAINED
    note = "CPU seconds of the control plane for each of them, until it is at rest again"
    report.add("sustained_cpu_s_per_job", spent, note)


def _sweep(report: Report, cluster: Cluster, seen: Seen) -> None:
    """The same files: one commit through Argo CD, and `kubectl apply` of a folder, each from rest."""
    ours = [
        probe_manifest(cluster.image, TEAM, name="sweep", pool="fake-gpu") for _ in range(SWEEP)
    ]
    theirs = [
        probe_manifest(cluster.image, TEAM, name="plain", pool="fake-gpu") for _ in range(SWEEP)
    ]
    files = _placed(cluster, ours)
    before, began = cpu_seconds(cluster), time.time()
    _commit(cluster, files, "A sweep")
    seen.wait({job["metadata"]["name"]: began for job in ours}, 600)
    by_argo = max(seen.at[job["metadata"]["name"]] for job in ours) - began
    spent = {"argo": since(before, cpu_seconds(cluster))}
    _settle(cluster)
    at_rest = {"argo": since(before, cpu_seconds(cluster))}
    before = cpu_seconds(cluster)
    by_kubectl = _kubectl_apply(cluster, theirs)
    spent["kubectl"] = since(before, cpu_seconds(cluster))
    _settle(cluster)
    at_rest["kubectl"] = since(before, cpu_seconds(cluster))
    folders = {path.rpartition("/")[0] for path in files}
    report.add("sweep_folders", len(folders), f"folders that the service puts {SWEEP} jobs into")
    report.add("sweep_s", by_argo, f"{SWEEP} jobs in one commit, until the last RayJob")
    report.add("kubectl_s", by_kubectl, "the same files by kubectl apply, same run")
    report.add("ratio_to_kubectl", by_argo / by_kubectl, "goal at most 1.5")
    for side, by_component in at_rest.items():
        note = f"for each of {SWEEP} jobs, until the cluster is at rest again"
        report.add(f"{side}_cpu_s_per_job", sum(by_component.values()) / SWEEP, note)
    for side, by_component in spent.items():
        for component, seconds in sorted(by_component.items()):
            report.add(f"{side}_cpu_s_{component}", seconds, "of the sweep until then")


def _placed(cluster: Cluster, jobs: list[dict[str, Any]]) -> dict[str, str]:
    """Paths, as the service chooses them for jobs that come together, and their text."""
    repository = GitopsRepository(cluster.repository.path)
    sizes = repository.folders(repository.head(), layout.jobs_folder(TEAM))
    bursts = Bursts()
    files: dict[str, str] = {}
    for job in jobs:
        name = job["metadata"]["name"]
        shard = bursts.shard(TEAM, name, SHARDS, lambda: sizes)
        sizes[shard] += 1
        files[layout.job_file(TEAM, shard, name)] = to_yaml(job)
    return files


def _kubectl_apply(cluster: Cluster, jobs: list[dict[str, Any]]) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for job in jobs:
            (Path(name) / f"{job['metadata']['name']}.yaml").write_text(to_yaml(job))
        kubectl = cluster.kubeconfig.parents[1] / "kubectl"
        command = [str(kubectl), "--kubeconfig", str(cluster.kubeconfig), "apply", "-f", name]
        began = time.time()
        subprocess.run(command, check=True, capture_output=True)
        return time.time() - began


def _submit_all(platform: PlatformService, count: int) -> dict[str, float]:
    """Ids and the times of their commits' acknowledgement."""
    service = platform.client

    def submit(_: int) -> tuple[str, float]:
        job = service.submit_job("probe", "v1", team=TEAM, pool="fake-gpu")
        return job.id, time.time()

    with ThreadPoolExecutor(16) as pool:
        return dict(pool.map(submit, range(count)))
