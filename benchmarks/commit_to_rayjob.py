"""From a commit to its RayJob through Argo CD, with 1,000 active jobs, against `kubectl apply`.

SHARDS=16 make bench NAME=commit_to_rayjob spreads them over so many folders, by itself 64.
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
from pathlib import Path
from typing import Any

import psutil
import yaml
from platform_service import PlatformService
from probe_job import probe_manifest
from testbed.cluster import Cluster
from testbed.objects import ApiError
from testbed.teams import add_team, remove_team
from testbed.waiting import wait_until

from benchmarks.cluster import QUEUES, Seen, any_cluster, name_of
from benchmarks.report import Report, percentile
from ml_platform.cluster.application import is_operating, is_synced
from ml_platform.repository import layout
from ml_platform.repository.bursts import Bursts
from ml_platform.repository.git import GitopsRepository

TEAM = "bench"
SHARDS = int(os.environ.get("SHARDS", "64"))
ACTIVE, SINGLE, SUSTAINED, SWEEP = 1000, 60, 200, 100
NEXT_TO_NOTHING = 0.1  # CPU seconds
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
        _fill(report, platform, seen)
        _settle(cluster)
        _one_by_one(report, platform, seen)
        _as_many_as_can_be(report, platform, seen)
        _sweep(report, cluster, seen)


def _fill(report: Report, platform: PlatformService, seen: Seen) -> None:
    committed = _submit_all(platform, ACTIVE)
    seen.wait(committed, 1200)
    took = max(seen.at[job] for job in committed) - min(committed.values())
    report.add("fill_jobs_per_s", ACTIVE / took, f"{ACTIVE} jobs at once into {SHARDS} shards")


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


def _deployment(job: dict[str, Any]) -> str | None:
    status: dict[str, str] = job.get("status", {})
    return status.get("jobDeploymentStatus")


def _one_by_one(report: Report, platform: PlatformService, seen: Seen) -> None:
    """One job a second; the time from its commit's acknowledgement to its RayJob."""
    committed: dict[str, float] = {}
    service = platform.client
    for number in range(SINGLE):
        due = time.monotonic() + 1
        job = service.submit_job("probe", "v1", team=TEAM, pool="fake-gpu")
        committed[job.id] = time.time()
        if number < SINGLE - 1:
            time.sleep(max(0.0, due - time.monotonic()))
    seen.wait(committed, 300)
    delays = [max(0.0, seen.at[job] - at) for job, at in committed.items()]
    note = f"1 job/s for {SINGLE} s on top of {ACTIVE} active jobs"
    report.add("p50_s", percentile(delays, 50), f"commit to RayJob, {note}")
    report.add("p95_s", percentile(delays, 95), "the same; goal below 1, bar 2")
    report.add("max_s", max(delays), "the slowest of them")


def _as_many_as_can_be(report: Report, platform: PlatformService, seen: Seen) -> None:
    committed = _submit_all(platform, SUSTAINED)
    seen.wait(committed, 600)
    took = max(seen.at[job] for job in committed) - min(committed.values())
    note = f"{SUSTAINED} more jobs by 16 clients, until the last RayJob is there; goal 10"
    report.add("sustained_jobs_per_s", SUSTAINED / took, note)


def _sweep(report: Report, cluster: Cluster, seen: Seen) -> None:
    """The same files: one commit through Argo CD, and `kubectl apply` of a folder, each from rest."""
    ours = [
        probe_manifest(cluster.image, TEAM, name="sweep", pool="fake-gpu") for _ in range(SWEEP)
    ]
    theirs = [
        probe_manifest(cluster.image, TEAM, name="plain", pool="fake-gpu") for _ in range(SWEEP)
    ]
    files = _placed(cluster, ours)
    folders = sorted({layout.parent(path) for path in files})
    _settle(cluster)
    before, began = _cpu_seconds(cluster), time.time()
    cluster.repository.commit(files, "A sweep")
    for folder in folders:
        cluster.refresh(folder.replace("/", "-"))
    seen.wait({job["metadata"]["name"]: began for job in ours}, 600)
    by_argo = max(seen.at[job["metadata"]["name"]] for job in ours) - began
    spent = {"argo": _since(before, _cpu_seconds(cluster))}
    _settle(cluster)
    before = _cpu_seconds(cluster)
    by_kubectl = _kubectl_apply(cluster, theirs)
    spent["kubectl"] = _since(before, _cpu_seconds(cluster))
    report.add("sweep_folders", len(folders), f"folders that the service puts {SWEEP} jobs into")
    report.add("sweep_s", by_argo, f"{SWEEP} jobs in one commit, until the last RayJob")
    report.add("kubectl_s", by_kubectl, "the same files by kubectl apply, same run")
    report.add("ratio_to_kubectl", by_argo / by_kubectl, "goal at most 1.5")
    for side, by_component in spent.items():
        for component, seconds in sorted(by_component.items()):
            report.add(f"{side}_cpu_s_{component}", seconds, "of the sweep until then")


def _placed(cluster: Cluster, jobs: list[dict[str, Any]]) -> dict[str, str]:
    """Paths, as the service chooses them for jobs that come together, and their text."""
    repository = GitopsRepository(cluster.repository.path)
    sizes = repository.shards(repository.head(), TEAM)
    bursts = Bursts()
    files: dict[str, str] = {}
    for job in jobs:
        own = layout.job_path(TEAM, job["metadata"]["name"], SHARDS)
        path = bursts.path(TEAM, own, lambda: sizes)
        sizes[layout.parent(path)] += 1
        files[path] = yaml.safe_dump(job)
    return files


def _cpu_seconds(cluster: Cluster) -> dict[str, float]:
    """What each process of the control plane has used; nothing of a cluster that was given."""
    found = {}
    for name, component in cluster.components.items():
        if component.pid is not None:
            times = psutil.Process(component.pid).cpu_times()
            found[name.replace("-", "_")] = sum(
                times[:4]
            )  # user and system, its own and its children's
    return found


def _since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was used since, without what used next to nothing."""
    spent = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    return {name: seconds for name, seconds in spent.items() if seconds >= NEXT_TO_NOTHING}


def _kubectl_apply(cluster: Cluster, jobs: list[dict[str, Any]]) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for job in jobs:
            (Path(name) / f"{job['metadata']['name']}.yaml").write_text(yaml.safe_dump(job))
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
