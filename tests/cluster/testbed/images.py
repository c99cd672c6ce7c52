"""The image of the probe workload, made on this machine: Debian, Ray and the launcher, then its code.

The large layers are made once and kept by a hash of what goes in; the probe's own is a thin one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_platform.build.local import LAUNCHER
from ml_platform.build.package_index import uv_environment
from testbed.layout import cache_folder
from testbed.oci import Image, Layer, write_layer
from testbed.tools import ROOT
from testbed.waiting import TestbedError

PROBE = ROOT / "tests" / "cluster" / "probe"
# The example's file, so that what scientists copy is what runs here.
RUN_DIRECTORY = ROOT / "workloads/stellar_optimization/stellar_optimization/run_directory.py"
REGISTRY = "registry.ml-platform.local/workloads"
# Where kwok plays the pods nothing is ever pulled, so that any digest will do.
NO_IMAGE = f"{REGISTRY}/probe@sha256:{'0' * 64}"
BASE_NAME = f"{REGISTRY}/base:1"
_HOME = "opt/ml-platform"
_ENVIRONMENT = f"{_HOME}/environments/main"
# wget is what KubeRay's probes call.
_PACKAGES = "python3,ca-certificates,wget"
_RECIPE = "1"
_SOURCES = (
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/apt/sources.list.d/ubuntu.sources",
    "/etc/apt/sources.list",
)
_PATH = f"/{_HOME}/bin:/{_ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin"
_RAY = """\
#!/{environment}/bin/python
import sys
from ray.scripts.scripts import main
sys.exit(main())
"""
_PARTS = ("debian", "environment")


@dataclass(frozen=True)
class ProbeImage:
    """An image, and the reference under which manifests name it."""

    image: Image
    base: Image

    @property
    def reference(self) -> str:
        return f"{REGISTRY}/probe@{self.image.digest}"

    @property
    def own_layers(self) -> list[Layer]:
        return self.image.layers[len(self.base.layers) :]


def probe_image(say: Callable[[str], None]) -> ProbeImage:
    """Build what is not in the cache; a minute and a half the first time."""
    base = _base_layers(say)
    start = {"PATH": _PATH, "LANG": "C.UTF-8"}
    # Also the sandbox of every pod: it shares the layers, and only has to exist.
    sleeper = Image(base, start, ["sleep", "infinity"])
    image = Image([*base, _probe_layer()], start, user="1000", workdir=f"/{_HOME}/code")
    return ProbeImage(image, sleeper)


def _folder() -> Path:
    return cache_folder() / "images"


def _base_layers(say: Callable[[str], None]) -> list[Layer]:
    requirements = PROBE / "requirements" / "main.txt"
    suite = _suite()
    inputs = [_RECIPE, _PACKAGES, suite, platform.machine(), requirements.read_text()]
    folder = _folder() / f"base-{_hash(*inputs)}"
    records = {name: folder / f"{name}.json" for name in _PARTS}
    if not all(record.exists() for record in records.values()):
        say("building the base image: Debian and Ray")
        folder.mkdir(parents=True, exist_ok=True)
        root = folder / "root"
        _debian(root, suite)
        _environment(root, requirements)
        outside = write_layer(folder / "debian.tar", {"": root}, leave_out=(_HOME,))
        inside = write_layer(folder / "environment.tar", {_HOME: root / _HOME})
        for name, layer in zip(_PARTS, (outside, inside), strict=True):
            layer.save(records[name])
        shutil.rmtree(root)
    return [Layer.load(folder / f"{name}.tar", record) for name, record in records.items()]


def _probe_layer() -> Layer:
    files = sorted(path for path in PROBE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    content = [f"{path.relative_to(PROBE)}\0{path.read_text()}" for path in files]
    content += [RUN_DIRECTORY.read_text(), LAUNCHER.read_text()]
    folder = _folder() / f"probe-{_hash(*content)}"
    record = folder / "layer.json"
    if not record.exists():
        launcher = folder / "bin" / "launcher"
        launcher.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(LAUNCHER, launcher)
        launcher.chmod(0o755)
        code = folder / "code"
        shutil.rmtree(code, ignore_errors=True)
        shutil.copytree(PROBE, code, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(RUN_DIRECTORY, code / "probe" / RUN_DIRECTORY.name)
        sources = {f"{_HOME}/bin": launcher.parent, f"{_HOME}/code": code}
        write_layer(folder / "layer.tar", sources).save(record)
    return Layer.load(folder / "layer.tar", record)


def _suite() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    release = dict(line.split("=", 1) for line in lines if "=" in line)
    name = release.get("VERSION_CODENAME", "").strip('"')
    if not name:
        raise TestbedError("the image is made from Debian's or Ubuntu's packages; this is neither")
    return name


def _debian(root: Path, suite: str) -> None:
    shutil.rmtree(root, ignore_errors=True)
    sources = [path for path in _SOURCES if Path(path).exists()][:1]
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={_PACKAGES}"]
    _run([*command, *leave_out, suite, str(root), *sources])
    profile = root / "etc" / "profile.d" / "ml-platform.sh"
    profile.write_text(f"PATH={_PATH}\n")  # Debian's /etc/profile forgets the image's PATH


def _environment(root: Path, requirements: Path) -> None:
    """A virtual environment of the image's Python, filled from outside: no network inside."""
    python = (root / "usr" / "bin" / "python3").readlink().name
    version = python.removeprefix("python")
    folder = root / _ENVIRONMENT
    packages = folder / "lib" / python / "site-packages"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(f"/usr/bin/{python}")
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")
    command = [str(ROOT / ".venv" / "bin" / "uv"), "pip", "install", "--quiet", "--no-config"]
    command += [
        "--python-version",
        version,
        "--python-platform",
        f"{platform.machine()}-manylinux_2_28",
    ]
    command += ["--only-binary", ":all:", "--require-hashes", "--no-deps"]
    command += ["--target", str(packages), "-r", str(requirements)]
    _run(command, uv_environment(os.environ, cache_folder() / "uv"))
    shutil.rmtree(packages / "bin", ignore_errors=True)
    ray = folder / "bin" / "ray"
    ray.write_text(_RAY.format(environment=_ENVIRONMENT))
    ray.chmod(0o755)
    # Pods cannot write beside the code: without this each start compiles all of it again.
    _run(
        ["chroot", str(root), python, "-m", "compileall", "-q", "-j", "2", f"/{_ENVIRONMENT}/lib"],
        ok=(0, 1),
    )


def _run(
    command: list[str], environment: Mapping[str, str] | None = None, ok: tuple[int, ...] = (0,)
) -> None:
    done = subprocess.run(
        ["nice", *command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in ok:
        raise TestbedError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
