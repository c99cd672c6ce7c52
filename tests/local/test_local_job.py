from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from world import manifest

from ml_platform.cluster.interface import Resources
from ml_platform.errors import InputError
from ml_platform.local.local_job import local_job

Change = Callable[[dict[str, Any]], object]
JOB = "tiny-20260101-aaaaaa"


def rendered(tmp_path: Path) -> dict[str, Any]:
    return manifest(
        tmp_path, JOB, "print('$x')", workers=2, cpu=0.5, memory="1Gi", attempts=3, gpus=1
    )


def container(job: dict[str, Any], group: int | None = None) -> dict[str, Any]:
    cluster = job["spec"]["rayClusterSpec"]
    chosen = cluster["headGroupSpec"] if group is None else cluster["workerGroupSpecs"][group]
    return dict(chosen)["template"]["spec"]["containers"][0]  # type: ignore[no-any-return]  # a test's own data


def test_a_rendered_manifest_is_understood(tmp_path: Path) -> None:
    job = local_job(rendered(tmp_path))
    assert job.need == Resources(cpus=1.0, memory_mib=2048, gpus=2)
    assert (job.retries, job.deadline_seconds, job.rank) == (2, 600.0, 1)
    assert job.arguments == ("--", "python", "-c", "print('$x')")
    assert job.run_dir == tmp_path / "runs" / JOB
    assert job.environment["JOB_WORKERS"] == "2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda job: job.update(kind="Job"), "must be a RayJob"),
        (lambda job: job["spec"].pop("rayClusterSpec"), "lacks what the platform writes"),
        (lambda job: job["spec"].update(entrypoint="python x.py"), "must start with `launcher"),
        (lambda job: job["spec"].update(entrypoint="launcher 'x"), "cannot be split"),
        (lambda job: container(job).update(image="x:latest"), "must name a digest"),
        (
            lambda job: container(job)["env"].append({"name": "A", "valueFrom": {}}),
            "A needs a plain value",
        ),
        (
            lambda job: container(job)["env"].append({"name": "A;B", "value": ""}),
            "is no name of a variable",
        ),
        (
            lambda job: container(job)["env"].append({"name": "JOB_DIR", "value": "gs://b/x"}),
            "must be a file:// folder",
        ),
        (
            lambda job: container(job, 0)["resources"]["requests"].update(cpu="nan"),
            "is no amount of CPU",
        ),
        (
            lambda job: job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].update(replicas=-1),
            "must be at least 1",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_in_words(tmp_path: Path, change: Change, message: str) -> None:
    job = rendered(tmp_path)
    change(job)
    with pytest.raises(InputError, match=message):
        local_job(job)
