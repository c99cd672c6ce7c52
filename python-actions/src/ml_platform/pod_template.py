"""The pods of a job: what each of them may do, gets and mounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ml_platform.errors import InputError
from ml_platform.job import mebibytes

GRACE_SECONDS = 30
USER = 1000
SCRATCH = "/tmp"  # noqa: S108  # an emptyDir of the pod, shared with nobody
# The root is read-only: Ray's sessions and whatever else is written go to the scratch volume.
# Nobody was asked whether Ray may send statistics, and a team's network lets none out.
OF_EVERY_POD = {"HOME": SCRATCH, "RAY_TMPDIR": SCRATCH, "RAY_USAGE_STATS_ENABLED": "0"}
# The head's Service and the network policies of teams use these ports.
HEAD_PORTS = {"gcs": 6379, "dashboard": 8265, "client": 10001, "metrics": 8080}
WORKER_PORTS = {"metrics": 8080}
_RAY_AGENT_PORT = 52365


@dataclass(frozen=True)
class RunStorage:
    """Where jobs write: the fsspec folder of all run directories, as their pods see it.

    `claim` is a PersistentVolumeClaim of each team's namespace that pods mount at that folder.
    """

    uri: str
    claim: str | None = None

    def __post_init__(self) -> None:
        if self.claim is not None and not self.uri.startswith("file:///"):
            raise InputError(
                f"must be a file URI where a claim is mounted, got {self.uri}",
                field="runs_uri",
                hint="ML_PLATFORM_RUNS_CLAIM is for volumes; a bucket needs no claim",
            )

    @property
    def mount_path(self) -> str:
        return unquote(urlsplit(self.uri).path)


def escape_expansion(text: str) -> str:
    """Kubernetes expands `$(NAME)` in values and reads `$$` as `$`."""
    return text.replace("$", "$$")


def resources(cpu: float, memory: str, gpus: int) -> dict[str, Any]:
    """Requests, and limits for all but CPU.

    A CPU limit throttles Ray's start, which wants several cores for a moment, from seconds to
    minutes; the request guarantees the share. Memory is given in full at once: a pod over its
    limit is killed alone, one over its request takes its neighbours with it.
    """
    hard = {"memory": f"{mebibytes(memory)}Mi"}
    if gpus:
        hard["nvidia.com/gpu"] = str(gpus)
    return {"requests": {"cpu": f"{cpu:g}", **hard}, "limits": hard}


def readiness_probe() -> dict[str, Any]:
    """Whether Ray's agent in a pod answers, asked from the start on.

    KubeRay's own probe of the same path begins ten seconds after a pod's start and asks every five, and the
    job waits for it. Either way a pod counts as unready after failing for 50 seconds.
    """
    return {
        "httpGet": {"path": "/api/healthz", "port": _RAY_AGENT_PORT},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
        "failureThreshold": 25,
    }


def container(
    name: str,
    image: str,
    env: Mapping[str, str],
    needs: dict[str, Any],
    ports: Mapping[str, int],
) -> dict[str, Any]:
    """A container that pod security `restricted` admits, with a writable scratch folder."""
    listening = [
        {"name": port, "containerPort": number, "protocol": "TCP"} for port, number in ports.items()
    ]
    return {
        "name": name,
        "image": image,
        # A digest never changes its content, so what a node has need not be asked for again.
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": key, "value": escape_expansion(text)} for key, text in env.items()],
        **({"ports": listening} if listening else {}),
        "resources": needs,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": SCRATCH}],
    }


def pod_template(
    container: dict[str, Any], labels: Mapping[str, str], runs: RunStorage | None
) -> dict[str, Any]:
    """A pod of one container; with the volume of run directories when there is one."""
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    if runs is not None and runs.claim is not None:
        volumes.append({"name": "runs", "persistentVolumeClaim": {"claimName": runs.claim}})
        mounts = [*container["volumeMounts"], {"name": "runs", "mountPath": runs.mount_path}]
        container = {**container, "volumeMounts": mounts}
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "ray",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            # Setting the group of every file at each start takes long on a volume of many runs.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }
    return {"metadata": {"labels": dict(labels)}, "spec": pod}
