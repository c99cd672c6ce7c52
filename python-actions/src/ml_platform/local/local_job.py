"""What a RayJob manifest asks of one machine. Pure: the object in, plain values out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ml_platform.cluster.interface import Resources
from ml_platform.errors import InputError
from ml_platform.local.kubernetes_expansion import expand_all
from ml_platform.render import PRIORITY, TEAM

RANKS = {"low": 0, "normal": 1, "high": 2}
_DIGEST = re.compile(r"@sha256:([0-9a-f]{64})\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MEMORY = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6}
_MEMORY |= {"G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class LocalJob:
    job_id: str
    team: str
    rank: int
    need: Resources
    retries: int
    deadline_seconds: float | None  # of one attempt
    image: str  # name of the image's folder
    arguments: tuple[str, ...]  # what the launcher gets
    environment: dict[str, str]
    run_dir: Path


def local_job(manifest: Mapping[str, Any]) -> LocalJob:
    """The job in a RayJob object. Raises InputError with the field that is wrong."""
    try:
        return _read(manifest)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"the manifest lacks what the platform writes: {error!r}") from error


def _read(manifest: Mapping[str, Any]) -> LocalJob:
    if manifest["kind"] != "RayJob":
        raise InputError(f"must be a RayJob, got {manifest['kind']}", field="kind")
    labels, spec = manifest["metadata"]["labels"], manifest["spec"]
    cluster = spec["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    environment = _environment(head.get("env", []))
    deadline = spec.get("activeDeadlineSeconds")
    return LocalJob(
        job_id=str(manifest["metadata"]["name"]),
        team=str(labels[TEAM]),
        rank=_rank(str(labels.get(PRIORITY, "normal"))),
        need=_need(cluster["workerGroupSpecs"][0]),
        retries=int(spec.get("backoffLimit", 0)),
        deadline_seconds=None if deadline is None else float(deadline),
        image=_image(str(head["image"])),
        arguments=_arguments(str(spec["entrypoint"])),
        environment=environment,
        run_dir=_run_dir(environment.get("JOB_DIR", "")),
    )


def _rank(priority: str) -> int:
    if priority not in RANKS:
        raise InputError(f"must be low, normal or high, got {priority!r}", field=PRIORITY)
    return RANKS[priority]


def _need(group: Mapping[str, Any]) -> Resources:
    requests = group["template"]["spec"]["containers"][0]["resources"]["requests"]
    workers = int(group["replicas"])
    if workers < 1:
        raise InputError(f"must be at least 1, got {workers}", field="replicas")
    memory = workers * _memory_bytes(str(requests.get("memory", "0")))
    return Resources(
        cpus=round(workers * _cpus(str(requests.get("cpu", "0"))), 3),
        memory_mib=-(-memory // 2**20),
        gpus=workers * max(0, int(requests.get("nvidia.com/gpu", 0))),
    )


def _cpus(quantity: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?m?", quantity):
        raise InputError(f"{quantity!r} is no amount of CPU", field="cpu")
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def _memory_bytes(quantity: str) -> int:
    found = re.fullmatch(r"([0-9]+)([A-Za-z]*)", quantity)
    if not found or found[2] not in _MEMORY:
        raise InputError(f"{quantity!r} is no amount of memory", field="memory")
    return int(found[1]) * _MEMORY[found[2]]


def _image(reference: str) -> str:
    found = _DIGEST.search(reference)
    if not found:
        raise InputError(f"must name a digest, got {reference}", field="image")
    return f"sha256-{found[1]}"


def _arguments(entrypoint: str) -> tuple[str, ...]:
    try:
        program, *arguments = shlex.split(entrypoint)
    except ValueError as error:
        raise InputError(f"cannot be split into words: {error}", field="entrypoint") from error
    if program != "launcher":
        raise InputError("must start with `launcher -- `", field="entrypoint")
    return tuple(arguments)


def _environment(entries: list[Mapping[str, Any]]) -> dict[str, str]:
    for entry in entries:
        if not _VARIABLE.match(str(entry["name"])):
            raise InputError(f"{entry['name']!r} is no name of a variable", field="env")
        if "value" not in entry:
            raise InputError(f"{entry['name']} needs a plain value on this machine", field="env")
    return expand_all((str(entry["name"]), str(entry["value"])) for entry in entries)


def _run_dir(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or not parts.path.startswith("/"):
        raise InputError(f"must be a file:// folder on this machine, got {uri!r}", field="JOB_DIR")
    return Path(unquote(parts.path))
