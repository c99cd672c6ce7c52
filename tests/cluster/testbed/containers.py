"""What is done with containerd directly: images in, leftovers out."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path

import psutil

from testbed.images import BASE_NAME, REGISTRY, ProbeImage
from testbed.layout import Layout
from testbed.node import PAUSE_IMAGE
from testbed.oci import Image
from testbed.waiting import TestbedError


def _ctr(layout: Layout, *arguments: str) -> str:
    done = subprocess.run(
        ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TestbedError(f"ctr {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def import_images(layout: Layout, probe: ProbeImage) -> None:
    """Bring the images in under the names that pods use; what is there already stays."""
    present = _ctr(layout, "images", "list", "--quiet").split()
    base = f"{BASE_NAME}-{probe.base.digest.removeprefix('sha256:')[:12]}"
    with tempfile.TemporaryDirectory(dir=layout.state) as folder:
        archive = Path(folder) / "image.tar"
        if base not in present:
            probe.base.write(archive, base, probe.base.layers)
            _ctr(layout, "images", "import", str(archive))
        if probe.reference not in present:
            # The large layers came with the base: containerd takes them from its own store.
            probe.image.write(archive, probe.reference, probe.own_layers)
            _ctr(layout, "images", "import", str(archive))
    _ctr(layout, "images", "tag", "--force", base, PAUSE_IMAGE)
    for name in present:
        if name.startswith(REGISTRY) and name not in (base, probe.reference):
            _ctr(layout, "images", "remove", name)  # of an earlier state of the tree


def import_image(layout: Layout, image: Image, name: str) -> None:
    """Bring a whole image in under the name that pods use; an earlier one of that name goes."""
    with tempfile.TemporaryDirectory(dir=layout.state) as folder:
        archive = Path(folder) / "image.tar"
        image.write(archive, name, image.layers)
        _ctr(layout, "images", "import", str(archive))


def remove_containers(layout: Layout) -> None:
    """End and remove every container; kubelet has gone, and would be the one to do it."""
    for task in _ctr(layout, "tasks", "list", "--quiet").split():
        _quietly(layout, "tasks", "kill", "--signal", "SIGKILL", task)
    for task in _ctr(layout, "tasks", "list", "--quiet").split():
        _quietly(layout, "tasks", "delete", "--force", task)
    for container in _ctr(layout, "containers", "list", "--quiet").split():
        _quietly(layout, "containers", "delete", container)


def end_shims(layout: Layout) -> None:
    """Containers outlive a containerd that was killed; their shims name its socket."""
    socket = str(layout.containerd_socket)
    for process in psutil.process_iter(["name", "cmdline"]):
        named = str(process.info["name"]).startswith("containerd-shim")
        if named and socket in (process.info["cmdline"] or []):
            with contextlib.suppress(psutil.NoSuchProcess):
                for member in [*process.children(recursive=True), process]:
                    member.kill()


def _quietly(layout: Layout, *arguments: str) -> None:
    try:
        _ctr(layout, *arguments)
    except TestbedError:
        return  # it ended by itself in between
