"""The service with a cluster behind it: what callers see, and what goes to the archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ARGOCD, ApiServer
from backstage_double import BackstageDouble
from cluster_world import ADMITTED, OURS, PODS, RAYJOBS, RUNNING, WORKLOADS, put_workload
from foreign_writer import push
from ray_fixture import eventually
from service_world import EVE, TEAM, Service, content_of, settings_in

from ml_platform.render import OUTCOME
from ml_platform.settings import ArgoCd, WorkloadCluster
from ml_platform.yaml_document import from_yaml

REQUEST = {"pool": "cpu-highmem"}
ENDED = {
    **RUNNING,
    "jobDeploymentStatus": "Complete",
    "jobStatus": "SUCCEEDED",
    "endTime": "2026-11-26T10:05:00Z",
}


@pytest.fixture
def platform(server: ApiServer, tmp_path: Path) -> Iterator[Service]:
    kubeconfig = server.kubeconfig(tmp_path)
    backstage = BackstageDouble()
    settings = settings_in(tmp_path, backstage.url).model_copy(
        update={
            "clusters": (WorkloadCluster(name="one", kubeconfig=kubeconfig),),
            "argocd": ArgoCd(kubeconfig=kubeconfig),
            "committer_lease": "",  # the only replica
        }
    )
    service = Service(settings, backstage)
    service.start()
    yield service
    service.stop()
    backstage.close()


def _rayjob(server: ApiServer, job: str, status: dict[str, Any]) -> None:
    metadata = {"namespace": TEAM, "name": job, "uid": "1", "labels": OURS}
    metadata["creationTimestamp"] = "2026-11-26T10:00:00Z"
    server.put(RAYJOBS, {"metadata": metadata, "spec": {}, "status": status})


def _job(platform: Service, job: str) -> dict[str, Any]:
    return dict(platform.client().get(f"/v1/jobs/{job}").json())


def _phase(platform: Service, job: str) -> str:
    return str(_job(platform, job)["state"]["phase"])


def _run_dir(platform: Service, job: str) -> Path:
    folder = platform.settings.runs_dir / job
    for name in ("logs", "results", "attempts/0"):
        (folder / name).mkdir(parents=True)
    (folder / "attempts" / "0" / "claim.json").write_text("{}")
    return folder


def test_a_job_goes_all_the_way_to_the_archive(platform: Service, server: ApiServer):
    application = {
        "metadata": {"namespace": "argocd", "name": f"jobs-{TEAM}-000"},
        "spec": {"source": {"path": f"jobs/{TEAM}/000"}},
    }
    server.put(f"{ARGOCD}/applications", application)
    output = platform.submitted("all-the-way", **REQUEST)
    job = output["job_id"]
    eventually(lambda: any(f"jobs-{TEAM}-000" in path for path, _ in server.patches))
    put_workload(server, TEAM, job, ADMITTED)
    _rayjob(server, job, RUNNING)
    eventually(lambda: _phase(platform, job) == "running")
    hops = {hop["name"]: hop["at"] for hop in _job(platform, job)["hops"]}
    assert hops["cluster-ready"] == "2026-11-26T10:02:00Z"
    (_run_dir(platform, job) / "results" / "summary.json").write_text('{"loss": 0.5}')
    _rayjob(server, job, ENDED)
    eventually(lambda: _job(platform, job)["path"].startswith("archive/"))
    manifest = from_yaml(content_of(platform.git, _job(platform, job)["path"]))
    outcome = json.loads(manifest["metadata"]["annotations"][OUTCOME])
    assert outcome == {
        "phase": "succeeded",
        "applied_at": "2026-11-26T10:00:00Z",
        "admitted_at": "2026-11-26T10:00:30Z",
        "started_at": "2026-11-26T10:03:00Z",
        "ended_at": "2026-11-26T10:05:00Z",
        "attempts": 1,
        "cost": {"amount": 0.0788, "currency": "USD"},  # 1.05 an hour, for 4.5 minutes
        "summary": {"loss": 0.5},
    }
    server.delete(RAYJOBS, TEAM, job)
    server.delete(WORKLOADS, TEAM, f"rayjob-{job}-1a2b3")
    assert _phase(platform, job) == "succeeded"


@pytest.mark.parametrize(
    "record",
    [
        {"code": 3, "cause": "exit code 3: ValueError: no such design"},
        {"code": 0, "cause": "stopped by SIGTERM"},  # its head went, and it saved
    ],
)
def test_the_launchers_record_says_why_a_program_failed(
    platform: Service, server: ApiServer, record: dict[str, Any]
):
    job = platform.submitted("fails", **REQUEST)["job_id"]
    (_run_dir(platform, job) / "attempts" / "0" / "exit.json").write_text(json.dumps(record))
    failed = {**ENDED, "jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "failed": 1}
    put_workload(server, TEAM, job, ADMITTED)
    _rayjob(server, job, {**failed, "reason": "AppFailed", "message": "Job entrypoint failed."})
    eventually(lambda: _job(platform, job)["path"].startswith("archive/"))
    assert _job(platform, job)["cause"] == record["cause"]


def test_a_pool_of_one_machine_is_none_of_a_cluster(platform: Service):
    assert "exists only where" in platform.submit("laptop")["error"]["message"]


def test_members_of_a_team_see_what_holds_up_its_jobs_and_others_do_not(
    platform: Service, server: ApiServer
):
    message = 'Failed to unmarshal "bad.yaml": yaml: line 1: no'
    condition = {"type": "ComparisonError", "message": message}
    application = {
        "metadata": {"namespace": "argocd", "name": f"jobs-{TEAM}-000"},
        "spec": {"source": {"path": f"jobs/{TEAM}/000"}},
        "status": {"conditions": [condition]},
    }
    server.put(f"{ARGOCD}/applications", application)

    def problems(user: str) -> list[str]:
        teams = {team["name"]: team for team in platform.client(user).get("/v1/teams").json()}
        return list(teams[TEAM]["problems"])

    (sentence,) = eventually(lambda: problems("user:default/ada"))
    assert sentence.startswith(f"jobs/{TEAM}/000/bad.yaml cannot be read: yaml: line 1: no.")
    assert problems(EVE) == []


@pytest.mark.parametrize("name", [".argocd-source.yaml", f".argocd-source-jobs-{TEAM}-000.yaml"])
def test_a_file_that_changes_what_argo_cd_does_is_named_while_it_is_there(
    platform: Service, name: str
):
    def problems() -> dict[str, list[str]]:
        teams = platform.client().get("/v1/teams").json()
        return {team["name"]: team["problems"] for team in teams if team["problems"]}

    path = f"jobs/{TEAM}/000/{name}"
    assert not problems()
    push(platform.git, {path: b"directory: {include: other.yaml}\n"})
    assert list(problems()) == [TEAM]
    (sentence,) = problems()[TEAM]
    assert sentence.startswith(f"{path} changes what Argo CD does")
    push(platform.git, {path: None})
    assert not problems()


def _pod(server: ApiServer, job: str, name: str, role: str | None) -> None:
    labels = {**OURS, "ml-platform/job-id": job}
    labels |= {"ray.io/node-type": role, "ray.io/cluster": "c"} if role else {}
    metadata = {"namespace": TEAM, "name": name, "labels": labels}
    metadata["creationTimestamp"] = "2026-11-26T10:01:00Z"
    spec = {"containers": [{"name": "main"}]}
    server.put(PODS, {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})


@pytest.fixture
def running(platform: Service, server: ApiServer) -> str:
    job = str(platform.submitted("logs", **REQUEST)["job_id"])
    put_workload(server, TEAM, job, ADMITTED)
    _rayjob(server, job, RUNNING)
    _pod(server, job, "head-1", "head")
    _pod(server, job, "submitter-1", None)
    server.say("head-1", b"of the head\n")
    server.say("submitter-1", b"of the submitter\n")
    eventually(lambda: _phase(platform, job) == "running")
    eventually(lambda: len(platform.platform.journal.get(job).observed.pods) == 2)
    return job


def test_logs_of_pods_are_served_and_followed(platform: Service, server: ApiServer, running: str):
    url = f"/v1/jobs/{running}/logs"
    assert platform.client().get(url, params={"source": "head"}).text == "of the head\n"
    with platform.client().stream("GET", f"{url}?source=head&follow=true") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "of the head"
        server.say("head-1", b"more\n")
        assert next(lines) == "more"
        server.say("head-1", b"", last=True)
        assert list(lines) == []


def test_where_the_run_directory_is_out_of_sight_the_submitter_stands_in(
    platform: Service, server: ApiServer, running: str
):
    url = f"/v1/jobs/{running}/logs"
    assert platform.client().get(url).text == "of the submitter\n"
    (_run_dir(platform, running) / "logs" / "0.log").write_text("of the program\n")
    assert platform.client().get(url).text == "of the program\n"
    # The attempt was counted before its program began, so that its log has a lower number.
    stats = {"evictions": [{"reason": "Preempted", "count": 1}]}
    put_workload(server, TEAM, running, ADMITTED, schedulingStats=stats)
    eventually(lambda: _job(platform, running)["attempt"] == 1)
    assert platform.client().get(url, params={"attempt": 1}).text == "of the program\n"


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"source": "worker-0"}, 404, "the worker-0 pod of"),
        ({"source": "kitchen"}, 400, "submitter, head or worker-<number>"),
        ({"source": "head", "attempt": 3}, 404, "there is no attempt 4 of"),
    ],
)
def test_a_log_that_cannot_be_had_says_why(
    platform: Service, running: str, query: dict[str, Any], status: int, said: str
):
    answer = platform.client().get(f"/v1/jobs/{running}/logs", params=query)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_the_service_says_when_it_cannot_see_and_counts_what_it_does(
    platform: Service, server: ApiServer, running: str, monkeypatch: pytest.MonkeyPatch
):
    assert platform.client().get("/readyz").status_code == 200
    metrics = platform.client().get("/metrics").text
    for name in ("watch_up", "watch_restarts_total", "watch_lag_seconds", "refresh_seconds"):
        assert f"ml_platform_{name}" in metrics, name
    assert 'ml_platform_watch_up{cluster="one",resource="pods"} 1.0' in metrics
    monkeypatch.setattr("ml_platform.cluster.kubernetes.LONG_DOWN_SECONDS", 0.1)
    server.refused_paths[PODS] = 503
    server.break_streams()
    said = "pods of one have not been heard of"
    eventually(lambda: said in platform.client().get("/readyz").text)
    assert platform.client().get("/readyz").status_code == 503
