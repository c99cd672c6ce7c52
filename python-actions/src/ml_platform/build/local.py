"""Makes an image on this machine: environments, a snapshot of the code and the launcher.

The digest is a hash of everything that goes in. The same inputs give the same digest, and nothing
is done twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ml_platform.build.code_snapshot import CodeSnapshot, read_code
from ml_platform.build.environment import (
    Lock,
    build_environment,
    check_has_ray,
    environment_size,
    read_lock,
)
from ml_platform.build.file_lock import file_lock
from ml_platform.build.images import IMAGE_FILE, ImageStore, LocalImage
from ml_platform.build.tagging import check_version, tag_image
from ml_platform.errors import InputError, NotFoundError, WorkError
from ml_platform.settings import Settings
from ml_platform.workload import load_workload

LAUNCHER = Path(__file__).resolve().parents[1] / "launcher.py"


@dataclass(frozen=True)
class _Recipe:
    """Everything that goes into an image."""

    workload: str
    code: CodeSnapshot
    locks: dict[str, Lock]
    launcher: bytes

    @property
    def digest(self) -> str:
        manifest = {
            "code": self.code.sha256,
            "environments": {name: lock.sha256 for name, lock in sorted(self.locks.items())},
            "launcher": hashlib.sha256(self.launcher).hexdigest(),
            "python": platform.python_version(),
        }
        canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def workload_folder(name: str, settings: Settings) -> Path:
    """`workloads/<name>`; raises NotFoundError with those that exist."""
    folder = settings.root / "workloads" / name
    if (folder / "workload.yaml").is_file() and "/" not in name:
        return folder
    known = sorted(path.parent.name for path in settings.root.glob("workloads/*/workload.yaml"))
    raise NotFoundError(
        f"there is no workload {name!r}",
        field="workload",
        hint=f"workloads/ has: {', '.join(known) or 'none'}",
    )


def build_image(
    folder: Path,
    version: str,
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
) -> LocalImage:
    """Build the workload in `folder` as `version`; `say` is told what happens.

    Raises InputError for a wrong workload or lock file, ServiceUnavailableError without network and
    WorkError when this machine cannot do it.
    """
    check_version(version)
    try:
        recipe = _read(folder)
        store = ImageStore(settings)
        image = store.read(recipe.digest)
        if image is None or not _whole(image, settings):
            image = _build(recipe, version, store, settings, say)
        return tag_image(image, version, settings, say)
    except OSError as error:
        hint = "free some space and build again" if error.errno in (28, 122) else None
        raise WorkError(f"cannot build {folder.name}: {error}", hint=hint) from error


def _read(folder: Path) -> _Recipe:
    workload = load_workload(folder)
    if workload.name != folder.name:
        raise InputError(
            f"workload.yaml says {workload.name!r}, its folder is {folder.name!r}", field="name"
        )
    locks = {}
    for name, environment in workload.environments.items():
        path = folder / environment.requirements
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError("lies outside the workload's folder", field=environment.requirements)
        locks[name] = read_lock(path)
    check_has_ray(locks["main"])
    return _Recipe(workload.name, read_code(folder), locks, LAUNCHER.read_bytes())


def _whole(image: LocalImage, settings: Settings) -> bool:
    keys = image.environments.values()
    return all(environment_size(settings.environments_dir / key) is not None for key in keys)


def _build(
    recipe: _Recipe, version: str, store: ImageStore, settings: Settings, say: Callable[[str], None]
) -> LocalImage:
    sizes = {lock.key: build_environment(lock, settings, say) for lock in recipe.locks.values()}
    image = LocalImage(
        workload=recipe.workload,
        version=version,
        digest=recipe.digest,
        reference=f"{settings.image_registry}/{recipe.workload}@{recipe.digest}",
        built_at=datetime.now(UTC),
        size_bytes=sum(sizes.values()) + recipe.code.size,
        python=platform.python_version(),
        environments={name: lock.key for name, lock in recipe.locks.items()},
    )
    folder = store.folder(recipe.digest)
    with file_lock(settings.images_dir / ".lock", say, recipe.workload):
        if folder.exists():
            return image
        temporary = folder.with_name(f".{folder.name}.tmp")
        remove_read_only(temporary)
        recipe.code.copy_to(temporary / "code")
        (temporary / "bin").mkdir()
        launcher = temporary / "bin" / "launcher"
        launcher.write_bytes(recipe.launcher)
        launcher.chmod(0o555)
        (temporary / "environments").mkdir()
        for name, key in image.environments.items():
            target = os.path.relpath(settings.environments_dir / key, folder / "environments")
            (temporary / "environments" / name).symlink_to(target)
        (temporary / IMAGE_FILE).write_text(image.model_dump_json(indent=1))
        temporary.rename(folder)
    return image


def remove_read_only(folder: Path) -> None:
    """Remove a code snapshot, whose folders are read-only, if it is there."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)
