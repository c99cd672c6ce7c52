"""Images of the local platform: a locked environment and a code snapshot per digest.

images/sha256-<hex>/     bin/launcher  code/  environments/<name> -> ../../../environments/<key>
                         image.json
images/tags.json         "<workload>/<version>" -> digest, when

Of an image that was built elsewhere there are only image.json and code/workload.yaml.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ml_platform.errors import NotFoundError, WorkError
from ml_platform.settings import Settings
from ml_platform.workload import FILE_NAME

IMAGE_FILE = "image.json"
TAGS_FILE = "tags.json"


class LocalImage(BaseModel):
    """One built image, under one of its versions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workload: str
    version: str
    digest: Annotated[str, Field(description="`sha256:<hex>` of everything that goes in.")]
    reference: Annotated[str, Field(description="What a manifest names: registry, name, digest.")]
    built_at: datetime
    size_bytes: Annotated[int, Field(description="Environments and code, unpacked.")]
    python: Annotated[
        str, Field(description="Version of Python in every environment; empty if built elsewhere.")
    ]
    environments: Annotated[
        dict[str, str],
        Field(description="Name of each environment, and the key of its folder on this machine."),
    ]


class Tag(BaseModel):
    """Where a version points now, and since when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    at: datetime


_TAGS = TypeAdapter(dict[str, Tag])


class ImageStore:
    """Reads and tags images; `build.local` makes them."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.images_dir
        self._workloads = settings.root / "workloads"

    def list(self) -> list[LocalImage]:
        """Every version that has an image, by workload, the newest first."""
        found = (self._image(name, tag) for name, tag in self._tags().items())
        images = [image for image in found if image is not None]
        images.sort(key=lambda image: image.built_at, reverse=True)
        return sorted(images, key=lambda image: image.workload)

    def resolve(self, workload: str, version: str) -> LocalImage:
        """The image that `version` stands for now; raises NotFoundError with those that exist."""
        tags = self._tags()
        tag = tags.get(f"{workload}/{version}")
        image = self._image(f"{workload}/{version}", tag) if tag else None
        if image is not None:
            return image
        if not any(name.startswith(f"{workload}/") for name in tags):
            self._check_exists(workload, tags)
        prefix = f"{workload}/"
        known = sorted(name.removeprefix(prefix) for name in tags if name.startswith(prefix))
        have = f"it has {', '.join(known)}; " if known else ""
        raise NotFoundError(
            f"{workload} has no image {version}",
            field="version",
            hint=f"{have}make one with: ml-platform build {workload} {version}",
        )

    def _check_exists(self, workload: str, tags: Iterable[str]) -> None:
        """Raise NotFoundError for a name that is neither a folder nor has ever had an image."""
        if (self._workloads / workload / FILE_NAME).is_file():
            return
        known = {name.partition("/")[0] for name in tags}
        known |= {path.parent.name for path in self._workloads.glob(f"*/{FILE_NAME}")}
        raise NotFoundError(
            f"there is no workload {workload}",
            field="workload",
            hint=f"there are: {', '.join(sorted(known)) or 'none'}",
        )

    def folder(self, digest: str) -> Path:
        """Where the image with `digest` (`sha256:<hex>`) is, or would be."""
        return self._folder / digest.replace(":", "-", 1)

    def workload_file(self, digest: str) -> Path:
        """`workload.yaml` as it was when the image was built."""
        return self.folder(digest) / "code" / FILE_NAME

    def tag(self, workload: str, version: str, digest: str, at: datetime) -> str | None:
        """Let `version` stand for `digest`; gives the digest it stood for before, if another.

        The caller holds the build lock.
        """
        tags = self._tags()
        before = tags.get(f"{workload}/{version}")
        if before is not None and before.digest == digest:
            return None
        tags[f"{workload}/{version}"] = Tag(digest=digest, at=at)
        temporary = self._folder / f".{TAGS_FILE}.{os.getpid()}"
        temporary.write_bytes(_TAGS.dump_json(dict(sorted(tags.items())), indent=1))
        temporary.replace(self._folder / TAGS_FILE)
        return before.digest if before else None

    def read(self, digest: str) -> LocalImage | None:
        """The image with `digest` as it was built, or None."""
        path = self.folder(digest) / IMAGE_FILE
        try:
            return LocalImage.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise WorkError(
                f"{path} cannot be read: {error.errors()[0]['msg']}",
                hint="remove its folder and build the version again",
            ) from error

    def _image(self, name: str, tag: Tag) -> LocalImage | None:
        image = self.read(tag.digest)
        version = name.split("/", 1)[1]
        return image and image.model_copy(update={"version": version, "built_at": tag.at})

    def _tags(self) -> dict[str, Tag]:
        path = self._folder / TAGS_FILE
        try:
            return _TAGS.validate_json(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValidationError, json.JSONDecodeError) as error:
            raise WorkError(
                f"{path} cannot be read", hint="remove it and build the versions again"
            ) from error
