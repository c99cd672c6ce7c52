"""Repository, journal and committer without HTTP, and manifests to put in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml_platform.job import JobSpec, key_hash
from ml_platform.journal import SqliteJournal
from ml_platform.pod_template import RunStorage
from ml_platform.pools import Pool
from ml_platform.render import Identity, render
from ml_platform.repository.committer import Committer
from ml_platform.repository.git import Author, GitopsRepository, seed
from ml_platform.repository.layout import job_path
from ml_platform.repository.orders import Submission
from ml_platform.yaml_document import to_yaml

TEAM = "stellarator-design"
ADA = Author("ada", "ada@default.users.invalid")
POOL = Pool(name="laptop", title="Here", local=True)


def new_repository(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "pools.yaml").write_text("currency: USD\npools: []\n")
    seed(folder / "gitops.git", source)
    return folder / "gitops.git"


def spec(name: str) -> JobSpec:
    return JobSpec(
        name=name,
        team=TEAM,
        workload="tiny",
        version="v1",
        image="registry.example.org/tiny@sha256:" + "0" * 64,
        entrypoint=("python",),
        pool="laptop",
        workers=1,
        cpu=1.0,
        memory="1Gi",
        gpus=0,
        max_duration="1h",
        attempts=1,
    )


def submission(name: str, body: str = "first", author: Author = ADA) -> Submission:
    """A job whose id, key and content follow from its name; `body` is what was asked."""
    job_id = f"{name}-20260101-aaaaaa"
    key = key_hash("user:default/ada", name)
    manifest = render(
        spec(name),
        Identity(job_id, "user:default/ada", key, body),
        POOL,
        RunStorage("file:///runs"),
    )
    return Submission(job_id, TEAM, 1, to_yaml(manifest).encode(), key, body, author)


def path_of(order: Submission) -> str:
    """Where the job's manifest goes when it comes alone."""
    return job_path(order.team, order.job_id, order.shards)


@contextmanager
def committing(repository: Path, journal: Path) -> Iterator[Committer]:
    """A committer with a journal of its own, as each service has."""
    book = SqliteJournal(journal)
    committer = Committer(GitopsRepository(repository), book)
    committer.start()
    try:
        yield committer
    finally:
        committer.stop()
        book.close()
