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
QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
GRACE_SECONDS = 30
_HEAD = {"cpu": "1", "memory": "2Gi"}
_USER = 1000
ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # inside a pod; see where it is used
SCRATCH = "/tmp"  # noqa: S108  # an emptyDir of the pod, shared with nobody


@dataclass(frozen=True)
class Identity:
    """What a manifest says beyond its spec: who asked, under which id and key."""

    job_id: str
    owner: str
    key_hash: str
    request_hash: str


def render(spec: JobSpec, identity: Identity, pool: Pool, runs_uri: str) -> dict[str, Any]:
    """The RayJob manifest of a job. `runs_uri` is the fsspec folder of all run directories."""
    env = _environment(spec, identity.job_id, runs_uri)
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
                "headGroupSpec": {
                    "serviceType": "ClusterIP",
                    # KubeRay reaches it over the pod's address; the token keeps others out.
                    "rayStartParams": {"num-cpus": "0", "dashboard-host": ANY_ADDRESS},
                    "template": _pod(spec, "ray-head", env, _HEAD, 0, pool=None),
                },
                "workerGroupSpecs": [_workers(spec, env, pool)],
            },
            "submitterPodTemplate": _pod(
                spec, "ray-job-submitter", [], {"cpu": "100m", "memory": "512Mi"}, 0, pool=None
            ),
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


def _environment(spec: JobSpec, job_id: str, runs_uri: str) -> list[dict[str, str]]:
    base = runs_uri.rstrip("/")
    env = {
        "JOB_ID": job_id,
        "JOB_DIR": f"{base}/{job_id}",
        "JOB_PARAMETERS": parameters_text(spec),
        "JOB_WORKERS": str(spec.workers),
        "JOB_GRACE_SECONDS": str(GRACE_SECONDS - 5),
        **({"JOB_RESUME_FROM": f"{base}/{spec.resume_from}"} if spec.resume_from else {}),
        "HOME": SCRATCH,
        **spec.env,
    }
    return [{"name": name, "value": escape_expansion(value)} for name, value in env.items()]


def escape_expansion(text: str) -> str:
    """Kubernetes expands `$(NAME)` in values and reads `$$` as `$`."""
    return text.replace("$", "$$")


def _workers(spec: JobSpec, env: list[dict[str, str]], pool: Pool) -> dict[str, Any]:
    resources = {"cpu": f"{spec.cpu:g}", "memory": f"{mebibytes(spec.memory)}Mi"}
    return {
        "groupName": "workers",
        "replicas": spec.workers,
        "minReplicas": spec.workers,
        "maxReplicas": spec.workers,
        "numOfHosts": 1,
        "rayStartParams": {"num-cpus": str(max(1, int(spec.cpu)))},
        "template": _pod(spec, "ray-worker", env, resources, spec.gpus, pool=pool),
    }


def _pod(
    spec: JobSpec,
    container: str,
    env: list[dict[str, str]],
    resources: dict[str, str],
    gpus: int,
    pool: Pool | None,
) -> dict[str, Any]:
    quantities = dict(resources)
    if gpus:
        quantities["nvidia.com/gpu"] = str(gpus)
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": "ray",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": container,
                "image": spec.image,
                "imagePullPolicy": "IfNotPresent",
                "env": env or [{"name": "HOME", "value": SCRATCH}],
                "resources": {"requests": quantities, "limits": dict(quantities)},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "tmp", "mountPath": SCRATCH}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    if pool is not None and not pool.local:
        pod["nodeSelector"] = {"ml-platform/pool": pool.name}
    return {"metadata": {"labels": _labels_of_pod(spec)}, "spec": pod}


def _labels_of_pod(spec: JobSpec) -> dict[str, str]:
    return {TEAM: spec.team, WORKLOAD: spec.workload}
