"""A version of a workload, and the image that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from ml_platform.build.file_lock import file_lock
from ml_platform.build.images import ImageStore, LocalImage
from ml_platform.errors import InputError
from ml_platform.job import VERSION_RULE, Version
from ml_platform.settings import Settings

_VERSION: TypeAdapter[str] = TypeAdapter(Version)


def check_version(version: str) -> None:
    """Raise InputError for a version that no job could ask for."""
    try:
        _VERSION.validate_python(version)
    except ValidationError as error:
        raise InputError(f"{VERSION_RULE}, got {version[:80]!r}", field="version") from error


def tag_image(
    image: LocalImage, version: str, settings: Settings, say: Callable[[str], None]
) -> LocalImage:
    """Let `version` stand for `image`; `say` hears when it stood for another one."""
    store = ImageStore(settings)
    with file_lock(settings.images_dir / ".lock", say, image.workload):
        before = store.tag(image.workload, version, image.digest, datetime.now(UTC))
    if before is not None:
        say(
            f"{image.workload} {version} now stands for {image.digest[:19]}, before {before[:19]}; "
            "jobs that were submitted before keep the old one"
        )
    return store.resolve(image.workload, version)
