"""One-shot jobs through GitOps: each known trap, with the shipped settings, on the real controllers.

The jobs here wait for machines that nobody has, so that nothing but Git, Argo CD and Kueue moves.
`docs/gitops.md` has the traps' table. T15, a rebuilt cluster, comes after the job of `test_the_road.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import yaml
from jobs import JobOnCluster
from platform_service import PlatformService
from probe_job import probe_manifest
from testbed.cluster import Cluster
from testbed.objects import ApiError
from testbed.teams import add_team, hold_queue, remove_team
from testbed.waiting import wait_until

from ml_platform.repository.bursts import PAUSE_SECONDS

ONE_SYNC_SECONDS = 30  # stated in docs/gitops.md
MOST_TRIES = 20
MANY_TRIES = 6  # of a sync; from there on they are as rare as they become


@pytest.fixture(scope="module")
def waiting_team(cluster: Cluster) -> Iterator[str]:
    """A team whose jobs stay queued: it may not start anything."""
    name = "waiting"
    add_team(cluster, name, quota={}, shards=2)
    hold_queue(cluster, name)
    yield name
    remove_team(cluster, name)


def queued_job(platform: PlatformService, cluster: Cluster, team: str) -> JobOnCluster:
    job = JobOnCluster(cluster, platform.submit(team, pool="fake-gpu"), team)
    job.wait_applied()
    return job


def shard_of(job: JobOnCluster) -> str:
    return str(job.job.refresh().path.split("/")[2])


def pause_between_bursts() -> None:
    """So that the next job goes where a hash of its id says, and not to those before it."""
    time.sleep(1.1 * PAUSE_SECONDS)  # the service decides by the time that has passed


def queued_in(
    shard: str, platform: PlatformService, cluster: Cluster, team: str
) -> list[JobOnCluster]:
    """Jobs until one is in that shard, each of them applied within one sync."""
    made: list[JobOnCluster] = []
    while not made or shard_of(made[-1]) != shard:
        assert len(made) < MOST_TRIES
        pause_between_bursts()
        began = time.monotonic()
        made.append(queued_job(platform, cluster, team))
        assert time.monotonic() - began < ONE_SYNC_SECONDS
    return made


def held_and_free(
    platform: PlatformService, cluster: Cluster, team: str, shard: str
) -> tuple[JobOnCluster, JobOnCluster]:
    """A new job in that shard, which somebody holds up, and one in another; those between are cancelled."""
    made: dict[bool, JobOnCluster] = {}
    for _ in range(MOST_TRIES):
        pause_between_bursts()
        job = JobOnCluster(cluster, platform.submit(team, pool="fake-gpu"), team)
        if made.setdefault(shard_of(job) == shard, job) is not job:
            job.job.cancel()
        if len(made) == 2:
            break
    return made[True], made[False]


def problems_of(platform: PlatformService, team: str) -> Callable[[], str]:
    """What the team's page says now of what holds its jobs up."""

    def problems() -> str:
        (shown,) = (each for each in platform.client.teams() if each.name == team)
        return " ".join(shown.problems)

    return problems


def tries_of(cluster: Cluster, application: str) -> int:
    """How often Argo CD has tried its present sync of an Application again."""
    found = cluster.objects.get("argoproj.io/v1alpha1", "Application", application, "argocd")
    return int(found.get("status", {}).get("operationState", {}).get("retryCount", 0))


def by_hand(cluster: Cluster, job_id: str, text: str | None, team: str, shard: str = "000") -> str:
    """A person pushes a file past the platform."""
    return cluster.repository.commit({f"jobs/{team}/{shard}/{job_id}.yaml": text}, "By hand")


def test_a_job_cannot_be_deleted_or_changed_by_hand(
    cluster: Cluster, platform: PlatformService, waiting_team: str
) -> None:
    job = queued_job(platform, cluster, waiting_team)
    with pytest.raises(ApiError, match="cancelled in Git"):
        cluster.objects.delete("ray.io/v1", "RayJob", job.id, waiting_team)
    change = {"spec": {"entrypoint": "true"}}
    with pytest.raises(ApiError, match="immutable"):
        cluster.objects.patch("ray.io/v1", "RayJob", job.id, change, waiting_team)
    before = job.rayjob
    others = queued_in(shard_of(job), platform, cluster, waiting_team)
    after = job.rayjob
    assert before is not None and after is not None
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    for other in others:
        other.job.cancel()
    job.job.cancel()
    job.wait_archived()


def test_an_unrelated_commit_runs_nothing_again_and_keeps_what_kueue_wrote(
    cluster: Cluster, platform: PlatformService, waiting_team: str
) -> None:
    kept = queued_job(platform, cluster, waiting_team)
    cancelled = queued_job(platform, cluster, waiting_team)
    cancelled.job.cancel()
    cancelled.wait_archived()
    before = kept.rayjob
    assert before is not None and before["spec"]["suspend"] is True  # Kueue's, not in Git
    others = queued_in(shard_of(kept), platform, cluster, waiting_team)
    for shard in ("000", "001"):
        cluster.wait_synced(f"jobs-{waiting_team}-{shard}", cluster.repository.head)
    after = kept.rayjob
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert cancelled.rayjob is None
    for job in (kept, *others):
        job.job.cancel()
        job.wait_archived()


def test_a_refused_file_delays_nobody_and_its_page_says_why(
    cluster: Cluster, platform: PlatformService, waiting_team: str
) -> None:
    by_schema = probe_manifest(cluster.image, waiting_team, pool="fake-gpu", name="schema")
    by_schema["spec"]["backoffLimit"] = "three"
    by_policy = probe_manifest(cluster.image, waiting_team, pool="fake-gpu", name="policy")
    head = by_policy["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    head["containers"][0]["image"] = "docker.io/library/evil:latest"
    bad = [by_schema, by_policy]
    for manifest in bad:
        by_hand(cluster, manifest["metadata"]["name"], yaml.dump(manifest), waiting_team)
    going = queued_in("000", platform, cluster, waiting_team)
    # A new commit waits for the next try of the sync that fails, and tries become rarer.
    wait_until(
        lambda: tries_of(cluster, f"jobs-{waiting_team}-000") >= MANY_TRIES, "many tries", 180
    )
    began = time.monotonic()
    good = queued_in("000", platform, cluster, waiting_team)
    for each in going:
        each.job.cancel()
        each.wait_archived()
    assert time.monotonic() - began < (len(good) + len(going)) * ONE_SYNC_SECONDS
    client = platform.client
    for manifest, word in zip(bad, ("backoffLimit", "image"), strict=True):
        job = client.job(manifest["metadata"]["name"])
        wait_until(
            lambda job=job, word=word: word in (job.refresh().state.reason or ""),
            f"the page of {job.id} names {word}",
            60,
            explain=lambda job=job: str(job.refresh().state),
        )
        assert job.view.state.phase.value == "submitted"
    for manifest in bad:
        by_hand(cluster, manifest["metadata"]["name"], None, waiting_team)
    for each in good:
        each.job.cancel()
        each.wait_archived()


UNUSABLE = {
    "unparsable": "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: broken\n",
    "of an unknown kind": "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: broken}\n",
}


@pytest.mark.parametrize("text", UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_stops_argo_cd_holds_up_its_shard_only_is_named_and_mended_at_once(
    cluster: Cluster, platform: PlatformService, waiting_team: str, text: str
) -> None:
    by_hand(cluster, "broken", text, waiting_team)
    problems = problems_of(platform, waiting_team)

    named = "broken.yaml" if text == UNUSABLE["unparsable"] else "broken"
    wait_until(lambda: named in problems(), "the team's page names the file", 30, explain=problems)
    held, free = held_and_free(platform, cluster, waiting_team, "000")
    free.wait_applied(ONE_SYNC_SECONDS)
    assert held.rayjob is None
    wait_until(
        lambda: named in (held.job.refresh().state.reason or ""),
        "the held job's page names the file",
        30,
        explain=held.why,
    )
    by_hand(cluster, "broken", None, waiting_team)
    held.wait_applied(ONE_SYNC_SECONDS)
    wait_until(lambda: not problems(), "the team's page is clean again", 30, explain=problems)
    for job in (held, free):
        job.job.cancel()
        job.wait_archived()


def test_a_job_s_file_in_a_second_folder_runs_nothing_twice_and_is_mended_at_once(
    cluster: Cluster, platform: PlatformService, waiting_team: str
) -> None:
    """Argo CD holds up the folder with the copy, and nothing else, until it is gone."""
    job = queued_job(platform, cluster, waiting_team)
    before = job.rayjob
    assert before is not None
    path = job.job.refresh().path
    other = "001" if shard_of(job) == "000" else "000"
    by_hand(cluster, job.id, cluster.repository.read(path), waiting_team, other)
    problems = problems_of(platform, waiting_team)

    wait_until(lambda: job.id in problems(), "the team's page names it", 30, explain=problems)
    held, free = held_and_free(platform, cluster, waiting_team, other)
    free.wait_applied(ONE_SYNC_SECONDS)
    wait_until(
        lambda: job.id in (held.job.refresh().state.reason or ""),
        "the held job's page names it",
        30,
        explain=held.why,
    )
    assert held.rayjob is None
    by_hand(cluster, job.id, None, waiting_team, other)
    held.wait_applied(ONE_SYNC_SECONDS)
    after = job.rayjob
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    for each in (job, held, free):
        each.job.cancel()
        each.wait_archived()


@pytest.fixture
def pushed(cluster: Cluster) -> Iterator[Callable[[str, str], None]]:
    """Pushes a file past the platform that is gone after the test."""
    paths: list[str] = []

    def push(path: str, text: str) -> None:
        paths.append(path)
        cluster.repository.commit({path: text}, "By hand")

    yield push
    left = [path for path in paths if cluster.repository.read(path) is not None]
    if left:
        cluster.repository.commit(dict.fromkeys(left), "By hand")


def test_a_control_file_of_argo_cd_is_named_and_without_it_jobs_are_made_again(
    cluster: Cluster,
    platform: PlatformService,
    waiting_team: str,
    pushed: Callable[[str, str], None],
) -> None:
    """Argo CD takes it whatever the Application says; whoever may push it may as well remove jobs."""
    job = queued_job(platform, cluster, waiting_team)
    before = job.uid
    path = f"jobs/{waiting_team}/{shard_of(job)}/.argocd-source.yaml"
    pushed(path, "directory: {include: _anchor.yaml}\n")
    problems = problems_of(platform, waiting_team)

    wait_until(lambda: path in problems(), "the team's page names it", 30, explain=problems)
    wait_until(lambda: job.rayjob is None, "Argo CD removes what is not included", 60)
    cluster.repository.commit({path: None}, "By hand")
    assert job.wait_applied(60) != before
    wait_until(lambda: path not in problems(), "the team's page is clean again", 30)
    job.job.cancel()
    job.wait_archived()


def test_a_kustomization_without_a_kind_changes_nothing_in_a_folder_of_jobs(
    cluster: Cluster,
    platform: PlatformService,
    waiting_team: str,
    pushed: Callable[[str, str], None],
) -> None:
    job = queued_job(platform, cluster, waiting_team)
    uid, shard = job.uid, shard_of(job)
    pushed(f"jobs/{waiting_team}/{shard}/kustomization.yaml", "resources: [_anchor.yaml]\n")
    others = queued_in(shard, platform, cluster, waiting_team)
    assert job.uid == uid
    for each in (job, *others):
        each.job.cancel()
        each.wait_archived()


def test_the_last_job_of_a_team_can_be_cancelled(
    cluster: Cluster, platform: PlatformService, team: str
) -> None:
    job = JobOnCluster(cluster, platform.submit(team, pool="fake-gpu"), team)
    job.wait_applied()
    job.job.cancel()
    job.wait_archived()


@pytest.mark.usefixtures("own_processes")
def test_pruning_without_kuberay_delays_others_by_no_more_than_the_docs_say(
    cluster: Cluster, platform: PlatformService, waiting_team: str
) -> None:
    going = queued_job(platform, cluster, waiting_team)
    wait_until(lambda: going.status.get("jobDeploymentStatus"), "KubeRay has seen it", 30)
    with cluster.paused("kuberay"):
        shard = shard_of(going)
        going.job.cancel()
        wait_until(lambda: _is_going(going), "Argo CD has removed it", 30, explain=going.why)
        others = queued_in(shard, platform, cluster, waiting_team)
        assert _is_going(going), "nobody has taken KubeRay's finalizer away"
    going.wait_archived()
    for job in others:
        job.job.cancel()
        job.wait_archived()


def _is_going(job: JobOnCluster) -> bool:
    return "deletionTimestamp" in (job.rayjob or {}).get("metadata", {})
