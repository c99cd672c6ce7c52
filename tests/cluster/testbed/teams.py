"""Teams come and go as they do in production: by a commit, which Argo CD follows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ml_platform import gitops_folder
from ml_platform.queues import API as KUEUE
from ml_platform.team_files import DESTINATIONS
from testbed.cluster import Cluster
from testbed.waiting import wait_until

_PROJECT = "argoproj.io/v1alpha1"


def add_team(cluster: Cluster, name: str, **fields: Any) -> None:
    """A team with its namespace, queue and folder of jobs, ready to take them.

    `fields` of team.yaml: quota, budget, weight, shards.
    """
    add_teams(cluster, [name], **fields)


def add_teams(cluster: Cluster, names: Sequence[str], **fields: Any) -> None:
    """Several by one commit, for which Argo CD needs hardly longer than for one."""
    teams = [
        {"name": name, "title": name, "group": f"group:default/{name}", **fields} for name in names
    ]
    files = {f"teams/{team['name']}/team.yaml": yaml.safe_dump(team) for team in teams}
    _change(cluster, files, f"Add team {', '.join(names)}")
    for name in names:
        cluster.wait_team(name)


def hold_queue(cluster: Cluster, team: str) -> None:
    """Let the team's jobs wait from now on."""
    _set_stop_policy(cluster, team, "Hold")


def release_queue(cluster: Cluster, team: str) -> None:
    """Let the team's jobs go on."""
    _set_stop_policy(cluster, team, "None")


def _set_stop_policy(cluster: Cluster, team: str, policy: str) -> None:
    cluster.objects.patch(KUEUE, "LocalQueue", team, {"spec": {"stopPolicy": policy}}, team)


def clear_team(cluster: Cluster, name: str) -> None:
    """End what a team still has queued or running, and wait until it is gone."""
    folder, anchor = f"jobs/{name}/", "/_anchor.yaml"
    jobs = [path for path in cluster.repository.files() if path.startswith(folder)]
    jobs = [path for path in jobs if not path.endswith(anchor)]
    if not jobs:
        return
    commit = cluster.repository.commit(dict.fromkeys(jobs), f"Clear team {name}")
    cluster.wait_synced(f"jobs-{name}-000", commit)
    wait_until(
        lambda: not cluster.objects.list("ray.io/v1", "RayJob", name),
        f"the jobs of {name} are gone",
        60,
    )


def remove_team(cluster: Cluster, name: str) -> None:
    """Its files, its Applications and its namespace with all that runs there."""
    remove_teams(cluster, [name])


def remove_teams(cluster: Cluster, names: Sequence[str]) -> None:
    """Several by one commit."""
    mine = tuple(f"{root}/{name}/" for root in ("teams", "jobs", "archive") for name in names)
    files = {path: None for path in cluster.repository.files() if path.startswith(mine)}
    _change(cluster, files, f"Remove team {', '.join(names)}")
    # An Application that is still there would make the namespace again.
    applications = [each for name in names for each in (f"team-{name}", f"jobs-{name}-000")]
    wait_until(
        lambda: (
            not any(
                cluster.objects.find(_PROJECT, "Application", each, "argocd")
                for each in applications
            )
        ),
        f"the Applications of {', '.join(names)} are gone",
        60,
    )
    # The ApplicationSets keep what their Applications made, on purpose. Nobody waits for the end:
    # pods take their grace period, and no two teams of tests have the same name.
    for name in names:
        cluster.objects.delete("v1", "Namespace", name)
        cluster.objects.delete("v1", "PersistentVolume", f"runs-{name}")


def _change(cluster: Cluster, files: Mapping[str, str | None], message: str) -> None:
    repository = cluster.repository
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        repository.check_out(folder)
        for path, text in files.items():
            target = folder / path
            if text is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        changes = gitops_folder.changes(folder)
        generated = {change.path: change.content for change in changes}
        commit = repository.commit({**generated, **files}, message)
    _follow(cluster, commit, generated.get(DESTINATIONS))


def _follow(cluster: Cluster, commit: str, destinations: str | None) -> None:
    if destinations is not None:
        # Argo CD's own Application is not synced here, so the project of jobs changes by hand.
        project = yaml.safe_load(destinations)
        change = {"spec": project["spec"]}
        cluster.objects.patch(_PROJECT, "AppProject", "jobs", change, "argocd")
    cluster.refresh_sets()
    cluster.wait_synced("queues", commit)
