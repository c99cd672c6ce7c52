"""What the agent's tests stand on: a real repository, committer, journal, store and Ray."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_platform.launcher
from ml_platform.cluster.interface import Resources
from ml_platform.cluster.local import LocalCluster
from ml_platform.job import JobSpec, Phase
from ml_platform.journal import SqliteJournal
from ml_platform.local.agent import LocalAgent
from ml_platform.local.ray_jobs import RayJobs
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Machine, Pool
from ml_platform.render import Identity, render
from ml_platform.repository.committer import Committer
from ml_platform.repository.git import PLATFORM, GitopsRepository, seed
from ml_platform.repository.orders import Submission
from ml_platform.state import Outcome
from ml_platform.yaml_document import to_yaml

DIGEST = "ab" * 32
MACHINE = Resources(cpus=2, memory_mib=4096, gpus=0)
POOL = Pool(name="laptop", title="This machine", local=True, max_workers=4)
TEAM = "stellarator-design"

FOLDER = (
    "import json, os, pathlib, sys, time\n"
    "from urllib.parse import unquote, urlsplit\n"
    "folder = pathlib.Path(unquote(urlsplit(os.environ['JOB_DIR']).path))\n"
)
# A job that runs until the test lets it go.
HELD = FOLDER + "\nwhile not (folder / 'go').exists(): time.sleep(0.05)"


@dataclass
class World:
    """State on disk; the objects over it can be made anew, as a restart of the service would."""

    home: Path
    ray: RayJobs

    def __post_init__(self) -> None:
        _make_image(self.images / f"sha256-{DIGEST}")
        source = self.home / "seed"
        (source / "jobs").mkdir(parents=True)
        (source / "jobs" / "README.md").write_text("Jobs.\n")
        self.repository = seed(self.home / "gitops.git", source)
        self.journal = SqliteJournal(self.home / "journal.db")
        self.committer = Committer(self.repository, self.journal, self._pushed)
        self.committer.start()
        self.agent: LocalAgent | None = None
        self.cluster = self._cluster()

    @property
    def images(self) -> Path:
        return self.home / "images"

    def run_dir(self, job_id: str) -> Path:
        return self.home / "runs" / job_id

    def _pushed(self) -> None:
        if self.agent is not None:
            self.agent.wake()

    def _cluster(self) -> LocalCluster:
        return LocalCluster(self.home / "cluster.db", MACHINE, self.journal.observe)

    def start_agent(self) -> None:
        reader = GitopsRepository(self.repository.path)
        self.agent = LocalAgent(reader, self.committer, self.cluster, self.ray, self.images)
        self.agent.start()

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.stop()
            self.agent = None

    def reopen(self) -> None:
        """Read the store anew, as a new process would."""
        self.cluster.close()
        self.cluster = self._cluster()

    def restart(self) -> None:
        self.stop_agent()
        self.reopen()
        self.start_agent()

    def close(self) -> None:
        self.stop_agent()
        self.committer.stop()
        self.cluster.close()
        self.journal.close()

    def submit(self, name: str, code: str, **changes: Any) -> str:
        """Commit a job that runs `code`; returns its id."""
        job_id = f"{name}-20260101-{secrets.token_hex(3)}"  # Ray is shared and remembers ids
        content = manifest(self.home, job_id, code, **changes)
        self.commit(job_id, to_yaml(content).encode())
        return job_id

    def commit(self, job_id: str, content: bytes) -> None:
        submission = Submission(job_id, TEAM, 1, content, f"key-{job_id}", "", PLATFORM)
        self.committer.submit(submission).result(timeout=20)

    def cancel(self, job_id: str) -> None:
        outcome = Outcome(phase=Phase.CANCELLED)
        self.committer.archive(job_id, outcome, PLATFORM).result(timeout=20)

    def status(self, job_id: str) -> dict[str, Any]:
        return dict(self.cluster.objects().get(job_id, {}).get("status", {}))

    def deployment(self, job_id: str) -> str:
        return str(self.status(job_id).get("jobDeploymentStatus", ""))

    def archived(self, job_id: str) -> dict[str, Any]:
        """The outcome, once the job is in the archive."""
        known = self.journal.by_id(job_id)
        if known is None or known.outcome is None or known.active:
            return {}
        return known.outcome.model_dump(mode="json")

    def claims(self, job_id: str) -> list[dict[str, Any]]:
        files = sorted(self.run_dir(job_id).glob("attempts/*/claim.json"))
        return [json.loads(file.read_text()) for file in files]


def manifest(home: Path, job_id: str, code: str, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": job_id.rsplit("-", 2)[0],
        "team": TEAM,
        "workload": "tiny",
        "version": "v1",
        "image": f"registry.invalid/workloads/tiny@sha256:{DIGEST}",
        "entrypoint": ("python", "-c", code),
        "pool": "laptop",
        "workers": 1,
        "cpu": 1.0,
        "memory": "64Mi",
        "gpus": 0,
        "max_duration": "10m",
        "attempts": 1,
        **changes,
    }
    identity = Identity(job_id=job_id, owner="user:default/ada", key_hash="k", request_hash="r")
    pool = POOL.sized_by(Machine(MACHINE.cpus, MACHINE.memory_mib, MACHINE.gpus))
    return render(JobSpec(**values), identity, pool, RunStorage((home / "runs").as_uri()))


def _make_image(root: Path) -> None:
    if root.exists():
        return
    for folder in ("bin", "code", "environments"):
        (root / folder).mkdir(parents=True)
    (root / "environments" / "main").symlink_to(sys.prefix)
    shutil.copy(ml_platform.launcher.__file__, root / "bin" / "launcher")
    (root / "bin" / "launcher").chmod(0o755)
