"""What an Argo CD Application says about the jobs of its folder. Pure."""

from __future__ import annotations

import re
from typing import Any

from ml_platform.cluster.fields import entries, mapping, shortened, text

REFRESH = "argocd.argoproj.io/refresh"
_FILE = re.compile(r'[Uu]nmarshal "([^"]+)"')
_DENIED = re.compile(r"denied request: (.*)", re.DOTALL)
_INVALID = "one or more synchronization tasks are not valid"
# What gRPC and Argo CD put in front of the cause.
_WRAPPING = re.compile(
    r"(rpc error: code = \w+ desc = |Failed to load target state: |"
    r"failed to generate manifest for source \d+ of \d+: |Manifest generation error \(cached\): |"
    r"error converting YAML to JSON: |failed to unmarshal manifest: )"
)


def folder_of(application: Any) -> str:
    """The folder of the GitOps repository that it applies."""
    return text(application, "spec", "source", "path")


def revision_of(application: Any) -> str:
    """The commit that it has last been compared with (after a failure: a name of a branch)."""
    return text(application, "status", "sync", "revision")


def operation_revision(application: Any) -> str:
    """The commit that it was last told to apply."""
    state = mapping(application, "status", "operationState")
    applied = text(state, "syncResult", "revision")
    return applied or text(state, "operation", "sync", "revision")


def is_synced(application: Any) -> bool:
    return text(application, "status", "sync", "status") == "Synced"


def is_operating(application: Any) -> bool:
    """Whether it is being applied; what comes meanwhile follows by itself once it is compared."""
    return text(application, "status", "operationState", "phase") in ("Running", "Terminating")


def refresh_is_due(application: Any) -> bool:
    """Whether a refresh was asked for and has not been done."""
    return REFRESH in mapping(application, "metadata", "annotations")


def missing(folder: str) -> dict[str, Any]:
    """What stands for the Application of a folder while there is none."""
    return {"metadata": {}, "spec": {"source": {"path": folder}}}


def folder_problem(application: Any) -> str | None:
    """What holds up the whole folder, with the file that is to blame where Argo CD names it."""
    folder = folder_of(application)
    for condition in entries(application, "status", "conditions"):
        kind, message = text(condition, "type"), text(condition, "message")
        if kind == "ComparisonError" and (file := _FILE.search(message)):
            why = shortened(_bare(message.rpartition(file[0])[2].lstrip(": ")))
            return (
                f"{folder}/{file[1]} cannot be read: {why}. Nothing of this folder is applied or "
                "taken away until that file is mended or removed."
            )
        if kind.endswith("Error") or kind == "SharedResourceWarning":
            return f"Argo CD cannot apply {folder}: {shortened(_bare(message))}"
    return _failed_operation(application, folder)


def refused_objects(application: Any) -> dict[str, str]:
    """Objects of the last operation that the cluster refused, with the reason, by name."""
    found = {}
    for result in entries(application, "status", "operationState", "syncResult", "resources"):
        if result.get("status") == "SyncFailed":
            message = text(result, "message")
            denied = _DENIED.search(message)
            found[text(result, "name")] = shortened(denied[1] if denied else _bare(message), 600)
    return found


def not_applied_reason(application: Any, job_id: str) -> str | None:
    """Why a committed job is not in the cluster, as far as its Application tells."""
    if mapping(application) and not text(application, "metadata", "name"):
        return (
            f"Argo CD has no Application of {folder_of(application)} yet; the ApplicationSet `jobs` "
            "makes it."
        )
    if problem := folder_problem(application):
        return problem
    if refusal := refused_objects(application).get(job_id):
        return f"The cluster refuses it: {refusal}"
    return None


def _failed_operation(application: Any, folder: str) -> str | None:
    """An operation that fails as a whole. One that only some objects fail says so on those."""
    state = mapping(application, "status", "operationState")
    message, refused = text(state, "message"), refused_objects(application)
    if message.startswith(_INVALID):
        for name, why in refused.items():
            return f"Argo CD applies nothing of {folder} until {name} is mended or removed: {why}"
    failing = text(state, "phase") in ("Failed", "Error") or "Retrying attempt" in message
    if failing and message and not refused:
        return f"Argo CD cannot apply {folder}: {shortened(_bare(message))}"
    return None


def _bare(message: str) -> str:
    return _WRAPPING.sub("", message).strip()
