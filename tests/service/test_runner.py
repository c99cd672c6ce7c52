"""The service's background: what it takes over by itself, and what must not stop it."""

from __future__ import annotations

import pygit2
from ray_fixture import eventually
from service_world import Service

from ml_platform.cluster.interface import Observed

RUNNING = Observed({"status": {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}})


def test_jobs_that_leave_git_while_they_run_do_not_hide_the_figures_of_others(service: Service):
    main = pygit2.Repository(str(service.git)).references["refs/heads/main"]
    before = main.target
    lost = [service.submitted(f"lost-{number}")["job_id"] for number in range(5)]
    for job_id in lost:
        service.platform.journal.observe(job_id, RUNNING)
        _write_loss(service, job_id)
    eventually(lambda: all(_headline(service, job_id) for job_id in lost))

    main = pygit2.Repository(str(service.git)).references["refs/heads/main"]
    main.set_target(before)
    eventually(lambda: service.client().get(f"/v1/jobs/{lost[0]}").status_code == 404)
    kept = service.submitted("kept")["job_id"]
    service.platform.journal.observe(kept, RUNNING)
    _write_loss(service, kept)
    assert eventually(lambda: _headline(service, kept))["value"] == 0.5


def _headline(service: Service, job_id: str) -> dict[str, object]:
    return dict(service.client().get(f"/v1/jobs/{job_id}").json()["headline"] or {})


def _write_loss(service: Service, job_id: str) -> None:
    metrics = service.settings.runs_dir / job_id / "metrics"
    metrics.mkdir(parents=True)
    (metrics / "0-000000.jsonl").write_text('{"step": 1, "time": 1.0, "loss": 0.5}\n')
