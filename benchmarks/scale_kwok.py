"""10,000 jobs in the queues of a cluster with 1,000 GPU nodes, on the real Kueue and KubeRay.

kwok plays nodes; API server, scheduler, admission policies, Kueue, KubeRay and the platform's service are
real. The jobs are submitted through the service, so that it knows all of them; their RayJobs are then
created as Argo CD would, without it: `commit_to_rayjob` measures that part. KubeRay is stopped until the
last figure, so that no job has pods before.
`SCALE=0.1 make bench NAME=scale_kwok` does a tenth of everything.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import psutil
import yaml
from platform_service import PlatformService
from prometheus_client.parser import text_string_to_metric_families
from testbed.cluster import Cluster
from testbed.objects import Objects
from testbed.teams import add_team
from testbed.waiting import DeadlineError, wait_until

from benchmarks.cluster import (
    QUEUES,
    Seen,
    cluster_of_fake_nodes,
    cpu_seconds,
    name_of,
    say,
    since,
)
from benchmarks.report import Report, percentile

SCALE = float(os.environ.get("SCALE", "1"))
NODES, JOBS, FREED = int(1000 * SCALE), int(10_000 * SCALE), int(300 * SCALE)
TEAMS, SHARDS, CLIENTS, CREATORS = ("one", "two", "three", "four"), 16, 64, 8
POOL = "fleet"
ARGO_CD = "system:serviceaccount:argocd:argocd-application-controller"
NODE = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}
QUOTA = {"cpu": f"{8 * NODES}", "memory": f"{32 * NODES}Gi", "nvidia.com/gpu": f"{NODES}"}
RAYJOBS = ("ray.io", "v1", "rayjobs")
WORKLOADS = ("kueue.x-k8s.io", "v1beta2", "workloads")
MIB = 2**20
TAKE_UP_SECONDS = 900


def run() -> Report:
    """Fill the queues, let Kueue admit what there is room for, replace jobs, start KubeRay."""
    report = Report("scale_kwok")
    with cluster_of_fake_nodes() as cluster, tempfile.TemporaryDirectory(prefix="bench-") as name:
        platform = PlatformService(cluster, Path(name))
        try:
            _Scale(report, cluster, platform).measure()
        finally:
            platform.stop()
    return report


class _Scale:
    def __init__(self, report: Report, cluster: Cluster, platform: PlatformService) -> None:
        self.report, self.cluster, self.platform = report, cluster, platform
        self.argo_cd = Objects(cluster.kubeconfig, user=ARGO_CD)

    def measure(self) -> None:
        self._prepare()
        self._submit()
        with self.cluster.stopped("kuberay"):  # what Kueue does alone comes first
            self._create()
            with Seen(self.cluster, WORKLOADS, _admitted) as admitted, self._readers():
                self._admit(admitted)
                self._replace(admitted)
            self._sizes()
        self._take_up()

    def _prepare(self) -> None:
        for team in TEAMS:
            add_team(self.cluster, team, shards=SHARDS)
        # From here on nobody syncs: the jobs in Git are created below.
        self.cluster.component("application-controller").stop()
        for team in TEAMS:
            self._hold(team, "Hold")
        self._bound()
        say(f"{NODES} nodes")
        self.cluster.add_nodes(NODES, POOL, NODE)
        self.platform.record_probe()
        self.platform.start()
        self.report.add("service_rss_start_mib", self._service_mib(), "the service without a job")

    def _bound(self) -> None:
        """The pool's quota is as large as there are nodes, whatever the scale."""
        for cohort in self.cluster.objects.list(QUEUES, "Cohort"):
            groups = cohort["spec"].get("resourceGroups", [])
            for flavor in (flavor for group in groups for flavor in group["flavors"]):
                if flavor["name"] == POOL:
                    for resource in flavor["resources"]:
                        resource["nominalQuota"] = QUOTA[resource["name"]]
            change = {"spec": {"resourceGroups": groups}}
            self.cluster.objects.patch(QUEUES, "Cohort", name_of(cohort), change)

    def _hold(self, team: str, policy: str) -> None:
        change = {"spec": {"stopPolicy": policy}}
        self.cluster.objects.patch(QUEUES, "LocalQueue", team, change, team)

    def _submit(self) -> None:
        say(f"{JOBS} jobs through the service")
        began = time.monotonic()
        asyncio.run(_submit_all(self.platform))
        rate = JOBS / (time.monotonic() - began)
        self.report.add("submitted_per_s", rate, f"{JOBS} jobs by {CLIENTS} clients, into Git")

    def _create(self) -> None:
        files = [path for path in self.cluster.repository.files() if _is_job(path)]
        texts = (self.cluster.repository.read(path) or "" for path in files)
        jobs = [yaml.load(text, yaml.CSafeLoader) for text in texts]  # the other takes 8 minutes
        say(f"{len(jobs)} RayJobs")
        began = time.monotonic()
        with Seen(self.cluster, WORKLOADS, name_of) as queued:
            with ThreadPoolExecutor(CREATORS) as pool:
                list(pool.map(self.argo_cd.create, jobs))
            took = time.monotonic() - began
            self.report.add("created_per_s", JOBS / took, f"RayJobs, by {CREATORS} clients")
            queued.wait_count(JOBS, 900)
        note = "RayJobs that Kueue has queued, from the first creation"
        self.report.add("queued_per_s", JOBS / (time.monotonic() - began), note)
        self._service_shows("queued", JOBS)
        self.report.add("service_rss_mib", self._service_mib(), f"the same with {JOBS} jobs")

    def _admit(self, admitted: Seen) -> None:
        say("admission")
        lag_before = self._lag()
        before, began = cpu_seconds(self.cluster), time.time()
        for team in TEAMS:
            self._hold(team, "None")
        admitted.wait_count(NODES, 900)
        spent, until = since(before, cpu_seconds(self.cluster)), time.time()
        last = max(admitted.at.values())
        self._service_shows("starting", NODES)
        self.report.add(
            "admissions_per_s",
            NODES / (last - began),
            f"{NODES} of {JOBS} queued jobs of {len(TEAMS)} teams, from the queues' release",
        )
        self.report.add("caught_up_s", time.time() - last, "the last of them to the service's list")
        count, seconds = (now - then for now, then in zip(self._lag(), lag_before, strict=True))
        note = f"arrival of a change to the journal, mean of {count:.0f} during admission"
        self.report.add("watch_lag_s", seconds / count, note)
        for name, used in sorted(spent.items()):
            note = f"of {os.cpu_count()} cores, while they are admitted"
            self.report.add(f"admission_cores_{name}", used / (until - began), note)

    def _replace(self, admitted: Seen) -> None:
        """Jobs go as when they end, and as many take their places."""
        say(f"{FREED} jobs go")
        running = [job for job in self.cluster.objects.list(RAY, "RayJob") if _runs(job)][:FREED]
        assert len(running) == FREED, f"{len(running)} jobs run"
        began = time.time()

        def admitted_since() -> list[float]:
            return sorted(at for at in admitted.at.copy().values() if at > began)

        remove = partial(self.argo_cd.delete, RAY, "RayJob")
        with ThreadPoolExecutor(CREATORS) as pool:
            list(pool.map(lambda job: remove(name_of(job), job["metadata"]["namespace"]), running))
        wait_until(lambda: len(admitted_since()) >= FREED, f"{FREED} more jobs are admitted", 900)
        took = admitted_since()[FREED - 1] - began
        note = f"{FREED} jobs end, until as many more are admitted"
        self.report.add("replaced_per_s", FREED / took, note)

    def _take_up(self) -> None:
        """KubeRay gives each new job its finalizer and first status before it starts a cluster for any,
        so that jobs that came while it was away are waited for."""
        say("KubeRay")
        began = time.monotonic()
        with Seen(self.cluster, RAYJOBS, _taken_up) as taken:
            with suppress(DeadlineError):
                taken.wait_count(NODES, TAKE_UP_SECONDS)
            count = min(len(taken.at), NODES)
        took = time.monotonic() - began
        note = f"{count} of {JOBS} new RayJobs by KubeRay, in {took:.0f} s from its start"
        self.report.add("taken_up_per_s", count / took, note)

    def _sizes(self) -> None:
        for name in ("kueue", "apiserver", "etcd"):
            pid = self.cluster.component(name).pid
            assert pid is not None
            self.report.add(f"{name}_rss_mib", _mib(pid), "at the end")
        self.report.add("service_rss_end_mib", self._service_mib(), "at the end")

    @contextmanager
    def _readers(self) -> Iterator[None]:
        """People who look at lists in the meantime."""
        took: dict[str, list[float]] = {"list": [], "search": [], "deep": []}
        over = threading.Event()
        reader = threading.Thread(target=self._read, args=(took, over), daemon=True)
        reader.start()
        try:
            yield
        finally:
            over.set()
            reader.join(timeout=30)
        for kind, what in (
            ("list", f"the newest 50 of {JOBS} jobs, while Kueue admits"),
            ("search", "the same with words to search for"),
            ("deep", "a page of 50 from the middle"),
        ):
            self.report.add(f"{kind}_p50_ms", percentile(took[kind], 50) * 1000, what)
            self.report.add(f"{kind}_p95_ms", percentile(took[kind], 95) * 1000, what)

    def _read(self, took: dict[str, list[float]], over: threading.Event) -> None:
        middle: str | None = None
        with self._http() as http:
            for _ in range(JOBS // 2 // 500):
                query = {"limit": "500"} | ({"cursor": middle} if middle else {})
                middle = http.get("/v1/jobs", params=query).json()["next_cursor"]
            while not over.is_set():
                for kind, more in (
                    ("list", {}),
                    ("search", {"q": "probe fleet"}),
                    ("deep", {"cursor": middle} if middle else {}),
                ):
                    began = time.perf_counter()
                    http.get("/v1/jobs", params={"limit": "50", **more}).raise_for_status()
                    took[kind].append(time.perf_counter() - began)
                over.wait(0.2)

    def _service_shows(self, phase: str, count: int) -> None:
        with self._http() as http:

            def shown() -> bool:
                answer = http.get("/v1/jobs", params={"phase": phase, "limit": "1"})
                return bool(answer.json()["total"] >= count)

            wait_until(shown, f"the service shows {count} {phase} jobs", 900)

    def _lag(self) -> tuple[float, float]:
        """How many changes have reached the journal, and the seconds that they took together."""
        with self._http() as http:
            text = http.get("/metrics").text
        values = {
            sample.name.rpartition("_")[2]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if family.name == "ml_platform_watch_lag_seconds"
        }
        return values["count"], values["sum"]

    def _http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.platform.token}"}
        return httpx.Client(
            base_url=self.platform.url, headers=headers, timeout=60, trust_env=False
        )

    def _service_mib(self) -> float:
        return _mib(self.platform.pid)


RAY = "ray.io/v1"


async def _submit_all(platform: PlatformService) -> None:
    numbers = iter(range(JOBS))
    headers = {"Authorization": f"Bearer {platform.token}"}
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(platform.url, headers=headers, connector=connector) as session:

        async def submit_some() -> None:
            for number in numbers:
                job = {
                    "workload": "probe",
                    "version": "v1",
                    "team": TEAMS[number % len(TEAMS)],
                    "pool": POOL,
                    "workers": 1,
                }
                body = {"input": job, "idempotencyKey": f"scale-{number}"}
                async with session.post("/v1/actions/ml:job:submit/run", json=body) as response:
                    text = await response.text()
                if '"output"' not in text:
                    raise RuntimeError(f"submit failed: {text}")

        await asyncio.gather(*(submit_some() for _ in range(CLIENTS)))


def _is_job(path: str) -> bool:
    return path.startswith("jobs/") and not path.endswith("/_anchor.yaml")


def _runs(job: dict[str, Any]) -> bool:
    return not job["spec"].get("suspend")


def _admitted(workload: dict[str, Any]) -> str | None:
    conditions = workload.get("status", {}).get("conditions", [])
    admitted = any(c["type"] == "Admitted" and c["status"] == "True" for c in conditions)
    return name_of(workload) if admitted else None


def _taken_up(job: dict[str, Any]) -> str | None:
    return name_of(job) if job.get("status", {}).get("jobDeploymentStatus") else None


def _mib(pid: int) -> float:
    """Resident memory of a process with its children."""
    process = psutil.Process(pid)
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            total += child.memory_info().rss
    return float(total) / MIB
