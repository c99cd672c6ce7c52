"""Records an image that was built and pushed elsewhere, so that jobs on a cluster can ask for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ml_platform.build.file_lock import file_lock
from ml_platform.build.images import IMAGE_FILE, ImageStore, LocalImage
from ml_platform.build.tagging import check_version, tag_image
from ml_platform.errors import ConflictError, InputError
from ml_platform.job import DIGEST_REFERENCE
from ml_platform.settings import Settings
from ml_platform.workload import FILE_NAME, load_workload

# As the admission policy `rayjob-shape` has it: a tag beside a digest would say something else.
_NAME = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


def record_image(
    folder: Path,
    version: str,
    reference: str,
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
) -> LocalImage:
    """Let `version` of the workload in `folder` stand for the image `reference`.

    What the form and the checks need of the workload is kept as its `workload.yaml` says now. Raises
    InputError for a reference that clusters would refuse, and ConflictError when the image is on
    record with another `workload.yaml`.
    """
    check_version(version)
    _check_reference(reference, settings)
    workload = load_workload(folder)
    image = LocalImage(
        workload=workload.name,
        version=version,
        digest=reference.rpartition("@")[2],
        reference=reference,
        built_at=datetime.now(UTC),
        size_bytes=0,
        python="",
        environments={},
    )
    with file_lock(settings.images_dir / ".lock", say, workload.name):
        _keep(image, (folder / FILE_NAME).read_bytes(), ImageStore(settings))
    return tag_image(image, version, settings, say)


def _check_reference(reference: str, settings: Settings) -> None:
    if settings.local:
        raise InputError(
            "this platform runs jobs on this machine, from images that it builds itself",
            field="image",
            hint="leave --image out, or set ML_PLATFORM_CLUSTERS",
        )
    if not re.fullmatch(DIGEST_REFERENCE, reference):
        raise InputError(
            f"must be a reference by digest, got {reference[:120]!r}",
            field="image",
            hint="push the image and take <repository>@sha256:<64 hex digits> from the answer",
        )
    if not reference.startswith(f"{settings.image_registry}/"):
        raise InputError(
            f"must lie in {settings.image_registry}/, since clusters admit no other registry",
            field="image",
            hint="push it there, or change ML_PLATFORM_IMAGE_REGISTRY and gitops/site/site.yaml",
        )
    name = reference.removeprefix(f"{settings.image_registry}/").partition("@")[0]
    if not _NAME.fullmatch(name):
        raise InputError(
            f"must be a plain name before the @, without a tag, got {name[:120]!r}",
            field="image",
            hint="the digest alone says which image it is",
        )


def _keep(image: LocalImage, definition: bytes, store: ImageStore) -> None:
    target = store.folder(image.digest)
    if target.exists():
        if store.workload_file(image.digest).read_bytes() != definition:
            raise ConflictError(
                f"{image.digest[:19]} is on record with another {FILE_NAME}",
                hint="build and push the image again: jobs rely on what its version says",
            )
        return
    draft = target.with_name(f".{target.name}.new")
    (draft / "code").mkdir(parents=True, exist_ok=True)
    (draft / "code" / FILE_NAME).write_bytes(definition)
    (draft / IMAGE_FILE).write_text(image.model_dump_json(indent=1))
    draft.rename(target)
