"""The Applications of jobs: each setting that keeps a one-shot job safe, with the trap it avoids.

Without any of these a job is run twice, changed while it runs, or held up by somebody else's file;
each was seen on the real controllers. docs/gitops.md tells the traps.
"""

from __future__ import annotations

from typing import Any

import pytest
from gitops_tree import TREE, Document, documents, find, render

from ml_platform.render import SPEC

JOBS = find(documents(TREE / "clusters/workload/jobs.yaml"), "ApplicationSet", "jobs")
TEMPLATE = JOBS["spec"]["template"]
SETTINGS: list[tuple[str, list[str], Any]] = [
    (
        "T1: what was deleted by hand comes back at the next commit, not before; a policy forbids it",
        ["syncPolicy", "automated", "selfHeal"],
        False,
    ),
    ("cancelling is removing the file", ["syncPolicy", "automated", "prune"], True),
    (
        "T3, T5, T6: Kueue's fields in the spec are no difference; an edit in Git changes nothing",
        ["ignoreDifferences"],
        [{"group": "ray.io", "kind": "RayJob", "jsonPointers": ["/spec"]}],
    ),
    (
        "T4: an unrelated commit applies nothing to running jobs (and would wipe Kueue's fields)",
        ["syncPolicy", "syncOptions", 0],
        "ApplyOutOfSyncOnly=true",
    ),
    (
        "T4: nor does a sync of the object itself",
        ["syncPolicy", "syncOptions", 1],
        "RespectIgnoreDifferences=true",
    ),
    (
        "T10: a RayJob that waits for KubeRay to let it go holds up no commit",
        ["syncPolicy", "syncOptions", 2],
        "PrunePropagationPolicy=background",
    ),
    (
        "T12: an object of two Applications is an error, not a fight",
        ["syncPolicy", "syncOptions", 3],
        "FailOnSharedResource=true",
    ),
    (
        "time: a schema is loaded for each job, and nothing is checked with it",
        ["syncPolicy", "syncOptions", 4],
        "Validate=false",
    ),
    ("T7, T8: tried until it is mended", ["syncPolicy", "retry", "limit"], -1),
    ("T7: with the commit that mends it", ["syncPolicy", "retry", "refresh"], True),
    (
        "T7, T8: often; what is committed meanwhile waits for the next try",
        ["syncPolicy", "retry", "backoff", "maxDuration"],
        "10s",
    ),
    ("a branch, not a name that a tag could take", ["source", "targetRevision"], "refs/heads/main"),
    (
        "a control file in the folder (kustomization.yaml, Chart.yaml) changes nothing",
        ["source", "directory"],
        {"include": "*.yaml"},
    ),
    (
        "T7, T17: one Application for each team and shard",
        ["source", "path"],
        "jobs/{{ .team.path.basename }}/{{ .path.basename }}",
    ),
    ("jobs may not make what changes a team's rights", ["project"], "jobs"),
]


def _at(node: Any, path: list[Any]) -> Any:
    for part in path:
        node = node[part]
    return node


@pytest.mark.parametrize(("why", "path", "value"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_jobs_are_applied_with(why: str, path: list[Any], value: Any):
    assert _at(TEMPLATE["spec"], path) == value


def test_nothing_else_is_set():
    spec = TEMPLATE["spec"]
    assert set(spec) == {"project", "source", "destination", "syncPolicy", "ignoreDifferences"}
    assert set(spec["syncPolicy"]) == {"automated", "retry", "syncOptions"}
    assert len(spec["syncPolicy"]["syncOptions"]) == 5
    assert TEMPLATE["metadata"]["name"] == "jobs-{{ .team.path.basename }}-{{ .path.basename }}"
    assert "finalizers" not in TEMPLATE["metadata"]


def test_a_folder_that_is_gone_ends_no_job():
    assert JOBS["spec"]["syncPolicy"] == {"preserveResourcesOnDeletion": True}
    teams = find(documents(TREE / "clusters/workload/teams.yaml"), "ApplicationSet", "teams")
    assert teams["spec"]["syncPolicy"] == {"preserveResourcesOnDeletion": True}


@pytest.fixture(scope="module")
def projects() -> list[Document]:
    return render(TREE / "platform/argocd/projects")


def test_jobs_hold_no_kind_that_could_change_rights_or_read_secrets(projects: list[Document]):
    spec = find(projects, "AppProject", "jobs")["spec"]
    assert spec["clusterResourceWhitelist"] == []
    kinds = {(allowed["group"], allowed["kind"]) for allowed in spec["namespaceResourceWhitelist"]}
    assert kinds == {("ray.io", "RayJob"), ("kueue.x-k8s.io", "LocalQueue"), ("", "ConfigMap")}


def test_jobs_go_into_namespaces_of_teams_only(projects: list[Document]):
    places = find(projects, "AppProject", "jobs")["spec"]["destinations"]
    assert places == [
        {"name": "in-cluster", "namespace": team.name}
        for team in sorted((TREE / "teams").iterdir())
    ]


def test_the_project_that_argo_cd_makes_by_itself_may_nothing(projects: list[Document]):
    spec = find(projects, "AppProject", "default")["spec"]
    assert spec["sourceRepos"] == spec["destinations"] == spec["clusterResourceWhitelist"] == []


@pytest.mark.parametrize("anchor", sorted(TREE.glob("jobs/*/*/_anchor.yaml")), ids=str)
def test_every_folder_has_an_anchor_of_its_own_name(anchor: Any):
    """T11: Argo CD refuses to empty an Application; T12: the same object in two stops both."""
    (document,) = documents(anchor)
    team, shard = anchor.parts[-3:-1]
    assert document["metadata"] == {"name": f"anchor-{team}-{shard}", "namespace": team}
    assert SPEC not in document["metadata"].get("annotations", {})
