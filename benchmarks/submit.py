"""1,000 jobs by 64 clients through the service's HTTP API, against naive clone-commit-push.

The service runs without its agent. The naive side writes the same manifests with plain git: eight
writers, each cloning, committing and pushing, and starting over when another was faster.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks.report import Report, percentile
from benchmarks.service import Service, running_service
from ml_platform.repository.git import GitopsRepository, seed

JOBS, CLIENTS = 1000, 64
NAIVE_JOBS, NAIVE_WRITERS = 48, 8


@dataclass
class _Side:
    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)


def run() -> Report:
    """Measure both sides and compare what was acknowledged with what Git holds."""
    report = Report("submit")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with running_service(folder, ML_PLATFORM_AGENT="false") as service:
            ours = asyncio.run(_submit_all(service))
            repository = GitopsRepository(service.settings.gitops_repository)
            manifests = list(repository.active(repository.head()))
            example = repository.read(manifests[0].oid)
        rate = _naive(folder, example)
    committed = [file.job_id for file in manifests]
    acknowledged = set(ours.answers.values())
    report.add("jobs_per_s", JOBS / ours.seconds, f"{CLIENTS} clients, {JOBS} jobs, over HTTP")
    report.add("naive_per_s", rate, f"{NAIVE_WRITERS} writers, {NAIVE_JOBS} jobs, plain git")
    report.add("ratio_to_naive", JOBS / ours.seconds / rate, "higher is better; 30 is expected")
    report.add("p50_ms", percentile(ours.latencies, 50) * 1000, "submit to acknowledged commit")
    report.add("p99_ms", percentile(ours.latencies, 99) * 1000, "the same")
    report.add("lost", len(acknowledged - set(committed)), "acknowledged but not in Git")
    report.add("doubled", len(committed) - len(acknowledged), "in Git beyond one per key")
    return report


async def _submit_all(service: Service) -> _Side:
    side = _Side()
    keys = iter(range(JOBS))
    headers = {"Authorization": f"Bearer {service.token}"}
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(service.url, headers=headers, connector=connector) as session:
        await _submit(session, "warm-up", _Side())
        begin = time.perf_counter()
        await asyncio.gather(*(_client(session, keys, side) for _ in range(CLIENTS)))
        side.seconds = time.perf_counter() - begin
        side.answers |= {"warm-up": await _submit(session, "warm-up", _Side())}
    return side


async def _client(session: aiohttp.ClientSession, keys: Iterator[int], side: _Side) -> None:
    for number in keys:
        side.answers[f"k{number}"] = await _submit(session, f"k{number}", side)


async def _submit(session: aiohttp.ClientSession, key: str, side: _Side) -> str:
    job = {"workload": "bench_workload", "version": "v1", "team": "stellarator-design"}
    begin = time.perf_counter()
    async with session.post(
        "/v1/actions/ml:job:submit/run", json={"input": job, "idempotencyKey": key}
    ) as response:
        last = json.loads((await response.text()).splitlines()[-1])
    side.latencies.append(time.perf_counter() - begin)
    if last.get("type") != "output":
        raise RuntimeError(f"submit failed: {last}")
    return str(last["output"]["job_id"])


def _naive(folder: Path, manifest: bytes) -> float:
    """Jobs per second of clone-commit-push by several writers."""
    remote = folder / "naive.git"
    seed(remote, Path("gitops"))
    numbers = iter(range(NAIVE_JOBS))
    lock = threading.Lock()

    def writer(name: int) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            _push_one(remote, folder / f"w{name}-{number}", number, manifest)

    writers = [threading.Thread(target=writer, args=(name,)) for name in range(NAIVE_WRITERS)]
    begin = time.perf_counter()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    return NAIVE_JOBS / (time.perf_counter() - begin)


def _push_one(remote: Path, clone: Path, number: int, manifest: bytes) -> None:
    def git(*arguments: str, where: Path = clone) -> int:
        return subprocess.run(
            ["git", "-C", str(where), *arguments], capture_output=True, check=False
        ).returncode

    git("clone", "--quiet", str(remote), str(clone), where=remote.parent)
    git("config", "user.name", "bench")
    git("config", "user.email", "bench@users.invalid")
    while True:
        path = clone / "jobs" / "stellarator-design" / "000" / f"naive-{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(manifest)
        git("add", "--all")
        git("commit", "--quiet", "--message", f"Add naive-{number}")
        if git("push", "--quiet", "origin", "HEAD:main") == 0:
            return
        git("fetch", "--quiet", "origin")
        git("reset", "--quiet", "--hard", "origin/main")
