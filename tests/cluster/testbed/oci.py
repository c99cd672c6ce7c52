"""Image archives from folders, by the standard library: no engine, no registry, no root.

The layout is OCI's: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Layer:
    """One uncompressed layer: a tar file and its digest, `sha256:<hex>`."""

    file: Path
    digest: str
    size: int

    def save(self, record: Path) -> None:
        record.write_text(json.dumps({"digest": self.digest, "size": self.size}))

    @classmethod
    def load(cls, file: Path, record: Path) -> Layer:
        return cls(file, **json.loads(record.read_text()))


@dataclass(frozen=True)
class Image:
    """Layers, and how a container of the image starts."""

    layers: list[Layer]
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    user: str = ""
    workdir: str = "/"

    @property
    def digest(self) -> str:
        """Of the manifest, as a reference names it."""
        return _digest(self._manifest())

    def write(self, file: Path, name: str, carried: Iterable[Layer]) -> None:
        """An archive to import as `name`, with the layers that the other side lacks."""
        manifest, config = self._manifest(), self._config()
        entry = _descriptor(_MANIFEST, manifest)
        entry["annotations"] = {"io.containerd.image.name": name}
        entry["platform"] = {"architecture": _architecture(), "os": "linux"}
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]}
        with tarfile.open(file, "w") as archive:
            _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", json.dumps(index).encode())
            for content in (manifest, config):
                _add(archive, _blob(_digest(content)), content)
            for layer in carried:
                archive.add(layer.file, arcname=_blob(layer.digest))

    def _manifest(self) -> bytes:
        layers = [
            {"mediaType": _LAYER, "digest": layer.digest, "size": layer.size}
            for layer in self.layers
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, self._config()),
            "layers": layers,
        }
        return json.dumps(manifest).encode()

    def _config(self) -> bytes:
        start: dict[str, Any] = {
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "WorkingDir": self.workdir,
        }
        if self.command:
            start["Cmd"] = self.command
        if self.entrypoint:
            start["Entrypoint"] = self.entrypoint
        if self.user:
            start["User"] = self.user
        config = {
            "architecture": _architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": start,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
        }
        return json.dumps(config).encode()


def write_layer(file: Path, sources: dict[str, Path], leave_out: tuple[str, ...] = ()) -> Layer:
    """Pack folders (place in the image → folder on this machine) into one layer.

    The same content gives the same digest: owners are root, times are zero, names are sorted.
    """

    def normal(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if member.name in leave_out or member.ischr() or member.isblk():
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = 0
        return member

    part = file.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as archive:
        for place, folder in sources.items():
            for above in reversed(Path(place).parents[:-1]) if place else ():
                _add_folder(archive, above.as_posix())
            if place:
                _add_folder(archive, place)
            for path in sorted(folder.iterdir()):
                name = f"{place}/{path.name}" if place else path.name
                # Recursion of tarfile sorts as well.
                archive.add(path, arcname=name, filter=normal)
    part.replace(file)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Layer(file, f"sha256:{digest}", file.stat().st_size)


def _add_folder(archive: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(member)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _architecture() -> str:
    return _ARCHITECTURES[platform.machine()]
