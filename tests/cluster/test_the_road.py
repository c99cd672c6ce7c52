"""The whole road on real controllers: form, action, commit, Argo CD, Kueue, KubeRay, Ray pods, archive."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jobs import JobOnCluster
from platform_service import ROOT, PlatformService
from testbed.cluster import Cluster
from testbed.teams import add_team, remove_team
from testbed.waiting import wait_until

from ml_platform.local.portal_form import Portal
from ml_platform.queues import API

# The team of the portal's guest; the portal's catalog knows it.
TEAM = "stellarator-design"
ROAD = ["submitted", "queued", "starting", "running", "succeeded"]


@pytest.fixture
def guests_team(cluster: Cluster) -> Iterator[str]:
    """Its queue is held at first, so that its job is seen to wait."""
    add_team(cluster, TEAM, quota={"test": 1})
    set_stop_policy(cluster, "Hold")
    yield TEAM
    remove_team(cluster, TEAM)


def set_stop_policy(cluster: Cluster, policy: str) -> None:
    cluster.objects.patch(API, "LocalQueue", TEAM, {"spec": {"stopPolicy": policy}}, TEAM)


@pytest.fixture
def portal(platform: PlatformService) -> Iterator[Portal]:
    if not (ROOT / "backstage" / "build" / ".stamp").is_file() or not shutil.which("sh"):
        pytest.fail("the portal is not built; run scripts/build-backstage.sh")
    platform.start_portal()
    portal = platform.portal()
    portal.wait_for_template(60)
    yield portal
    portal.close()


@pytest.mark.usefixtures("real_pods")
def test_a_job_goes_from_the_form_to_the_archive_and_all_views_agree_on_the_way(
    cluster: Cluster, platform: PlatformService, portal: Portal, guests_team: str
) -> None:
    values = {
        "training": {"workload": "probe", "version": "v1", "parameters": {"seconds": 5}},
        "team": guests_team,
        "pool": "test",
        "workers": 1,
    }
    page = portal.submit(values, lambda _: None)
    job = platform.client.get_job(page.rpartition("/")[2])
    on_cluster = JobOnCluster(cluster, job, guests_team)
    agreed = on_cluster.walk(
        lambda: _seen_by_all(platform, portal, job.id),
        lambda phase: set_stop_policy(cluster, "None") if phase == "queued" else None,
    )
    assert agreed[-1] == "succeeded", on_cluster.why()
    assert [phase for phase in ROAD if phase in agreed] == agreed
    assert {"queued", "starting", "running"} <= set(agreed)
    on_cluster.wait_archived()
    assert set(_seen_by_all(platform, portal, job.id).values()) == {"succeeded"}
    wait_until(lambda: not on_cluster.pods(), "its pods are gone", 90)
    wait_until(lambda: on_cluster.workload is None, "its quota is free", 30)
    _check_record(cluster, on_cluster)
    hops = {hop.name: hop.at for hop in job.refresh().hops}
    times = [hops[name] for name in ("submitted", "applied", "admitted", "running", "ended")]
    assert all(times) and times == sorted(times, key=lambda at: at.timestamp() if at else 0)
    assert job.view.owner == "user:default/guest"
    assert "probe: done after 5 steps" in job.logs()
    assert job.metrics().rows[-1]["progress"] == 5


def _seen_by_all(platform: PlatformService, portal: Portal, job_id: str) -> dict[str, str]:
    shown = json.loads(platform.command("get", job_id, "--output", "json"))
    page = portal.get(f"/api/ml-platform/jobs/{job_id}")
    listed = next(item for item in platform.client.list_jobs() if item.id == job_id)
    return {
        "command line": shown["state"]["phase"],
        "portal": page["state"]["phase"],
        "list": listed.state.phase.value,
    }


def _check_record(cluster: Cluster, job: JobOnCluster) -> None:
    """Git has the manifest as it was applied, with how it ended, by the person who asked."""
    path = job.job.refresh().path
    manifest = yaml.safe_load(cluster.repository.read(path) or "")
    outcome = json.loads(manifest["metadata"]["annotations"]["ml-platform/outcome"])
    assert (outcome["phase"], outcome["attempts"]) == ("succeeded", 1)
    assert outcome["summary"]["progress"] == 5
    assert cluster.repository.read(f"jobs/{job.team}/000/{job.id}.yaml") is None
    assert job.job.view.commit.author == "guest"
    assert Path(path).parts[:2] == ("archive", job.team)
