"""The agent with a committer in a process of its own, to be killed: `<home> <Ray's address>`."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

from ml_platform.cluster.interface import Resources
from ml_platform.cluster.local import LocalCluster
from ml_platform.journal import SqliteJournal
from ml_platform.local.agent import LocalAgent
from ml_platform.local.ray_jobs import RayJobs, ray_token
from ml_platform.repository.committer import Committer
from ml_platform.repository.git import GitopsRepository

logging.basicConfig(level=logging.INFO)
logging.getLogger("httpx").setLevel(logging.WARNING)
home = Path(sys.argv[1])
repository = GitopsRepository(home / "gitops.git")
committer = Committer(repository, SqliteJournal(home / "journal-of-the-process.db"))
committer.start()
cluster = LocalCluster(home / "cluster.db", Resources(cpus=2, memory_mib=4096))
ray = RayJobs(sys.argv[2], ray_token())
LocalAgent(repository, committer, cluster, ray, home / "images").start()
threading.Event().wait()
