"""JobSpec → RayJob. Pure: data in, data out; `yaml_document.to_yaml` makes it text.

Why the fields are what they are (create-only objects, counted retries, tokens) is in
docs/architecture.md.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from ml_platform.job import JobSpec, duration, mebibytes
from ml_platform.pod_template import (
    GRACE_SECONDS,
    HEAD_PORTS,
    OF_EVERY_POD,
    WORKER_PORTS,
    RunStorage,
    container,
    pod_template,
    readiness_probe,
    resources,
)
from ml_platform.pools import Pool

RAY_VERSION = "2.60.0"
MANAGER = "ml-platform"
SPEC = "ml-platform/spec"
OWNER = "ml-platform/owner"
PARENT = "ml-platform/parent"
KEY = "ml-platform/key"
REQUEST = "ml-platform/request"
OUTCOME = "ml-platform/outcome"
JOB_ID = "ml-platform/job-id"
TEAM = "ml-platform/team"
WORKLOAD = "ml-platform/workload"
POOL = "ml-platform/pool"
WORKER_GROUP = "workers"
QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
_SUBMITTER = {"cpu": "100m", "memory": "512Mi"}
# Ray refuses to start with a smaller object store, and takes 30 % of the memory unless told.
_SMALLEST_OBJECT_STORE = 75 * 2**20
_SMALL_POD_MIB = 512
ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # inside a pod; see where it is used


@dataclass(frozen=True)
class Identity:
    """What a manifest says beyond its spec: who asked, under which id and key."""

    job_id: str
    owner: str
    key_hash: str
    request_hash: str


def render(spec: JobSpec, identity: Identity, pool: Pool, runs: RunStorage) -> dict[str, Any]:
    """The RayJob manifest of a job."""
    pods = _Pods(spec, identity.job_id, runs)
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": identity.job_id,
            "namespace": spec.team,
            "labels": _labels(spec, identity.job_id),
            "annotations": _annotations(spec, identity),
        },
        "spec": {
            "entrypoint": shlex.join(["launcher", "--", *spec.entrypoint]),
            "submissionMode": "K8sJobMode",
            "backoffLimit": spec.attempts - 1,
            "submitterConfig": {"backoffLimit": 2},
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 60,
            "activeDeadlineSeconds": int(duration(spec.max_duration).total_seconds()),
            "preRunningDeadlineSeconds": 3600,
            "rayClusterSpec": {
                "rayVersion": RAY_VERSION,
                "enableInTreeAutoscaling": False,
                "authOptions": {"mode": "token"},
                "headGroupSpec": pods.head(),
                "workerGroupSpecs": [pods.workers(pool)],
            },
            "submitterPodTemplate": pods.submitter(),
        },
    }


def spec_text(spec: JobSpec) -> str:
    """The spec as it stands in the annotation `ml-platform/spec`."""
    return json.dumps(spec.model_dump(mode="json", exclude_none=True), separators=(",", ":"))


def parameters_text(spec: JobSpec) -> str:
    """The parameters as the training code finds them in JOB_PARAMETERS."""
    return json.dumps(spec.parameters, separators=(",", ":"), sort_keys=True)


def _labels(spec: JobSpec, job_id: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": MANAGER,
        JOB_ID: job_id,
        TEAM: spec.team,
        WORKLOAD: spec.workload,
        POOL: spec.pool,
        QUEUE: spec.team,
        PRIORITY: spec.priority.value,
    }


def _annotations(spec: JobSpec, identity: Identity) -> dict[str, str]:
    annotations = {
        OWNER: identity.owner,
        KEY: identity.key_hash,
        REQUEST: identity.request_hash,
        # A head that was lost must not come back and run the job a second time, uncounted.
        "ray.io/disable-provisioned-head-restart": "true",
        SPEC: spec_text(spec),
    }
    if spec.parent:
        annotations[PARENT] = spec.parent
    return annotations


def _environment(spec: JobSpec, job_id: str, runs_uri: str) -> dict[str, str]:
    base = runs_uri.rstrip("/")
    return {
        "JOB_ID": job_id,
        "JOB_DIR": f"{base}/{job_id}",
        "JOB_PARAMETERS": parameters_text(spec),
        "JOB_WORKERS": str(spec.workers),
        "JOB_GRACE_SECONDS": str(GRACE_SECONDS - 5),
        # Ray's own 3 s are less than the launcher may need, which then could not record the end.
        "RAY_JOB_STOP_WAIT_TIME_S": str(GRACE_SECONDS),
        **({"JOB_RESUME_FROM": f"{base}/{spec.resume_from}"} if spec.resume_from else {}),
        **OF_EVERY_POD,
        **spec.env,
    }


class _Pods:
    """The three kinds of pods of one job."""

    def __init__(self, spec: JobSpec, job_id: str, runs: RunStorage) -> None:
        self._spec, self._runs = spec, runs
        self._environment = _environment(spec, job_id, runs.uri)
        self._labels = {
            "app.kubernetes.io/managed-by": MANAGER,
            JOB_ID: job_id,
            TEAM: spec.team,
            WORKLOAD: spec.workload,
        }

    def head(self) -> dict[str, Any]:
        """It also runs the entrypoint; no task does, hence no CPUs."""
        spec = self._spec
        needs = resources(spec.head.cpu, spec.head.memory, 0)
        pod = container("ray-head", spec.image, self._environment, needs, HEAD_PORTS)
        # See trap T22 in docs/gitops.md.
        pod["lifecycle"] = {"preStop": {"exec": {"command": ["launcher", "--stop"]}}}
        pod["readinessProbe"] = readiness_probe()
        return {
            "serviceType": "ClusterIP",
            # KubeRay reaches the dashboard over the pod's address; the token keeps others out.
            "rayStartParams": {
                "num-cpus": "0",
                "dashboard-host": ANY_ADDRESS,
                **_object_store(spec.head.memory),
            },
            "template": pod_template(pod, self._labels, self._runs),
        }

    def workers(self, pool: Pool) -> dict[str, Any]:
        spec = self._spec
        needs = resources(spec.cpu, spec.memory, spec.gpus)
        pod = container("ray-worker", spec.image, self._environment, needs, WORKER_PORTS)
        pod["readinessProbe"] = readiness_probe()
        template = pod_template(pod, self._labels, self._runs)
        if not pool.local:
            template["spec"]["nodeSelector"] = {"ml-platform/pool": pool.name}
        return {
            "groupName": WORKER_GROUP,
            "replicas": spec.workers,
            "minReplicas": spec.workers,
            "maxReplicas": spec.workers,
            "numOfHosts": 1,
            "rayStartParams": {
                "num-cpus": str(max(1, int(spec.cpu))),
                "num-gpus": str(spec.gpus),
                **_object_store(spec.memory),
            },
            "template": template,
        }

    def submitter(self) -> dict[str, Any]:
        needs = {"requests": _SUBMITTER, "limits": {"memory": _SUBMITTER["memory"]}}
        pod = container("ray-job-submitter", self._spec.image, OF_EVERY_POD, needs, {})
        return pod_template(pod, self._labels, None)


def _object_store(memory: str) -> dict[str, str]:
    if mebibytes(memory) >= _SMALL_POD_MIB:
        return {}
    return {"object-store-memory": str(_SMALLEST_OBJECT_STORE)}
