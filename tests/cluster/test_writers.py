"""Who may change or delete a job: Kueue what admission says, Argo CD its existence, nobody else anything.

And of an Application the service may change nothing, but ask for a look at Git.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from admission_world import ARGO_CD, KUBERAY, KUEUE, RAY, Manifest, good_manifest, refusal
from testbed.objects import Objects
from testbed.waiting import wait_until


@pytest.fixture(scope="module")
def job(admin: Objects, as_user: Callable[[str], Objects]) -> Iterator[Manifest]:
    """A job that exists: it waits for a pool that has no machine."""
    argo_cd, good = as_user(ARGO_CD), good_manifest(admin)
    name, namespace = "waits-20260101-abcdef", good["metadata"]["namespace"]
    manifest = copy.deepcopy(good)
    manifest["metadata"]["name"] = manifest["metadata"]["labels"]["ml-platform/job-id"] = name
    argo_cd.delete(RAY, "RayJob", name, namespace)
    wait_until(lambda: admin.find(RAY, "RayJob", name, namespace) is None, "an old job to go")
    yield argo_cd.create(manifest)
    argo_cd.delete(RAY, "RayJob", name, namespace)


def _groups(job: Manifest, **pod: Any) -> list[Manifest]:
    groups = copy.deepcopy(job["spec"]["rayClusterSpec"]["workerGroupSpecs"])
    groups[0]["template"]["spec"].update(pod)
    return list(groups)


NEVER_EDITED: dict[str, Callable[[Manifest], Manifest]] = {
    "program": lambda job: {"spec": {"entrypoint": "launcher -- python -m other"}},
    "attempts": lambda job: {"spec": {"backoffLimit": 9}},
    "suspension": lambda job: {"spec": {"suspend": not job["spec"]["suspend"]}},
    "deadline": lambda job: {"spec": {"activeDeadlineSeconds": None}},
    "new field": lambda job: {"spec": {"runtimeEnvYAML": "pip: [x]"}},
    "service account": lambda job: {
        "spec": {"rayClusterSpec": {"workerGroupSpecs": _groups(job, serviceAccountName="default")}}
    },
    "team": lambda job: {"metadata": {"labels": {"ml-platform/team": "others"}}},
    "queue": lambda job: {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": None}}},
    "priority": lambda job: {"metadata": {"labels": {"kueue.x-k8s.io/priority-class": "high"}}},
    "owner": lambda job: {"metadata": {"annotations": {"ml-platform/owner": "user:default/eve"}}},
    "no owner": lambda job: {"metadata": {"annotations": {"ml-platform/owner": None}}},
    "a head that may come back": lambda job: {
        "metadata": {"annotations": {"ray.io/disable-provisioned-head-restart": "false"}}
    },
    "new label": lambda job: {"metadata": {"labels": {"ml-platform/sweep": "mine"}}},
}


@pytest.mark.parametrize("what", NEVER_EDITED)
@pytest.mark.parametrize("user", ["", ARGO_CD, KUBERAY], ids=["admin", "argo-cd", "kuberay"])
def test_a_job_is_never_edited(
    what: str, user: str, job: Manifest, admin: Objects, as_user: Callable[[str], Objects]
):
    who = as_user(user) if user else admin
    meta = job["metadata"]
    change = NEVER_EDITED[what](job)
    message = refusal(
        lambda: who.patch(RAY, "RayJob", meta["name"], change, meta["namespace"], dry_run=True)
    )
    assert "never edited" in message


def _head(job: Manifest, **container: Any) -> Manifest:
    """A change of the head's one container."""
    containers = copy.deepcopy(
        job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    )
    containers[0].update(container)
    template = {"spec": {"containers": containers}}
    return {"spec": {"rayClusterSpec": {"headGroupSpec": {"template": template}}}}


def _workers(job: Manifest, **group: Any) -> Manifest:
    """A change of the group of workers."""
    return {
        "spec": {"rayClusterSpec": {"workerGroupSpecs": [{**_groups(job)[0], **group}]}},
    }


def _pods(job: Manifest, **pod: Any) -> Manifest:
    """A change of the workers' pods."""
    return {"spec": {"rayClusterSpec": {"workerGroupSpecs": _groups(job, **pod)}}}


HOOK = {"preStop": {"exec": {"command": ["sleep", "9"]}}}
NOT_EVEN_BY_KUEUE: dict[str, Callable[[Manifest], Manifest]] = {
    name: change for name, change in NEVER_EDITED.items() if name != "suspension"
} | {
    "image": lambda job: _head(job, image="registry.example.org/x@sha256:" + "0" * 64),
    "program of a pod": lambda job: _head(job, command=["sleep"]),
    "arguments of a pod": lambda job: _head(job, args=["sleep"]),
    "environment": lambda job: _head(job, env=[{"name": "PYTHONPATH", "value": "/tmp"}]),
    "hook": lambda job: _head(job, lifecycle=HOOK),
    "privileges": lambda job: _head(job, securityContext={"privileged": True}),
    "one more program": lambda job: _pods(job, initContainers=[{"name": "x", "image": "x"}]),
    "network of the node": lambda job: _pods(job, hostNetwork=True),
    "files of the node": lambda job: _pods(
        job, volumes=[{"name": "node", "hostPath": {"path": "/"}}]
    ),
    "workers": lambda job: _workers(job, replicas=7, maxReplicas=7),
    "line of shell": lambda job: _workers(job, rayStartParams={"block": "; sleep 9"}),
    "one more group": lambda job: {
        "spec": {
            "rayClusterSpec": {
                "workerGroupSpecs": [*_groups(job), {**_groups(job)[0], "groupName": "more"}]
            }
        }
    },
    "no submitter of its own": lambda job: {"spec": {"submitterPodTemplate": None}},
    "authentication": lambda job: {"spec": {"rayClusterSpec": {"authOptions": None}}},
    "Ray version": lambda job: {"spec": {"rayClusterSpec": {"rayVersion": "2.0.0"}}},
}


@pytest.mark.parametrize("what", NOT_EVEN_BY_KUEUE)
def test_not_even_kueue_changes_what_a_job_runs(
    what: str, job: Manifest, as_user: Callable[[str], Objects]
):
    meta = job["metadata"]
    change = NOT_EVEN_BY_KUEUE[what](job)
    message = refusal(
        lambda: as_user(KUEUE).patch(
            RAY, "RayJob", meta["name"], change, meta["namespace"], dry_run=True
        )
    )
    assert "never edited" in message


KEPT_UP: dict[str, tuple[str, Callable[[Manifest], Manifest]]] = {
    "Kueue starts it": (KUEUE, lambda job: {"spec": {"suspend": False}}),
    "Kueue writes the flavor's nodes into it": (
        KUEUE,
        lambda job: {
            "spec": {
                "suspend": False,
                "rayClusterSpec": {
                    "workerGroupSpecs": _groups(
                        job,
                        nodeSelector={"ml-platform/pool": "nowhere", "kubernetes.io/arch": "amd64"},
                        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
                    )
                },
            }
        },
    ),
    "KubeRay takes its finalizer off": (KUBERAY, lambda job: {"metadata": {"finalizers": None}}),
    "Argo CD tracks it": (
        ARGO_CD,
        lambda job: {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}},
    ),
}


@pytest.mark.parametrize("what", KEPT_UP)
def test_the_controllers_do_their_work(what: str, job: Manifest, as_user: Callable[[str], Objects]):
    user, change = KEPT_UP[what]
    meta = job["metadata"]
    as_user(user).patch(RAY, "RayJob", meta["name"], change(job), meta["namespace"], dry_run=True)


@pytest.mark.parametrize("user", ["", KUBERAY, KUEUE], ids=["admin", "kuberay", "kueue"])
def test_nobody_deletes_a_job(
    user: str, job: Manifest, admin: Objects, as_user: Callable[[str], Objects]
):
    who = as_user(user) if user else admin
    meta = job["metadata"]
    message = refusal(
        lambda: who.delete(RAY, "RayJob", meta["name"], meta["namespace"], dry_run=True)
    )
    assert "cancelled in Git" in message


@pytest.mark.parametrize(
    "user",
    [
        ARGO_CD,
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
    ],
)
def test_who_cleans_up_deletes_jobs(user: str, job: Manifest, as_user: Callable[[str], Objects]):
    meta = job["metadata"]
    assert as_user(user).delete(RAY, "RayJob", meta["name"], meta["namespace"], dry_run=True)


APPLICATION, SERVICE = "argoproj.io/v1alpha1", "system:serviceaccount:ml-platform:ml-platform"
ASKED: dict[str, tuple[str, str, Manifest]] = {
    "a refresh": (
        "Application",
        "queues",
        {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}},
    ),
    "no refresh any more": (
        "Application",
        "queues",
        {"metadata": {"annotations": {"argocd.argoproj.io/refresh": None}}},
    ),
    "a refresh of the set": (
        "ApplicationSet",
        "jobs",
        {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}},
    ),
}
ELSEWHERE = "https://git.example.org/elsewhere.git"
NOT_ASKED: dict[str, tuple[str, str, Manifest]] = {
    "another repository": ("Application", "queues", {"spec": {"source": {"repoURL": ELSEWHERE}}}),
    "another project": ("Application", "queues", {"spec": {"project": "default"}}),
    "a sync of its own": ("Application", "queues", {"operation": {"sync": {"prune": True}}}),
    "an outcome": ("Application", "queues", {"status": {"sync": {"status": "Unknown"}}}),
    "no outcome any more": ("Application", "queues", {"status": None}),
    "no wave any more": (
        "Application",
        "queues",
        {"metadata": {"annotations": {"argocd.argoproj.io/sync-wave": None}}},
    ),
    "a deletion of all that it brought": (
        "Application",
        "queues",
        {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}},
    ),
    "a label": ("Application", "queues", {"metadata": {"labels": {"ml-platform/team": "mine"}}}),
    "an annotation": (
        "Application",
        "queues",
        {"metadata": {"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}}},
    ),
    "the set's repository": (
        "ApplicationSet",
        "jobs",
        {"spec": {"template": {"spec": {"source": {"repoURL": ELSEWHERE}}}}},
    ),
    "the end of all jobs with the set": (
        "ApplicationSet",
        "jobs",
        {"spec": {"syncPolicy": {"preserveResourcesOnDeletion": False}}},
    ),
}


@pytest.mark.parametrize("what", ASKED)
def test_the_service_asks_argo_cd_for(what: str, as_user: Callable[[str], Objects]):
    kind, name, change = ASKED[what]
    as_user(SERVICE).patch(APPLICATION, kind, name, change, "argocd", dry_run=True)


@pytest.mark.parametrize("what", NOT_ASKED)
def test_the_service_does_not_write_into_an_application(
    what: str, admin: Objects, as_user: Callable[[str], Objects]
):
    kind, name, change = NOT_ASKED[what]
    admin.patch(APPLICATION, kind, name, change, "argocd", dry_run=True)  # only for the service
    message = refusal(
        lambda: as_user(SERVICE).patch(APPLICATION, kind, name, change, "argocd", dry_run=True)
    )
    assert "may change nothing else" in message
