"""The image of the probe workload, made on this machine: Debian, Ray and the launcher, then its code.

The large layers are made once and kept by a hash of what goes in; the probe's own is a thin one.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tarfile
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
RUN_DIRECTORY = ROOT / "workloads/stellar_optimization/stellar_optimization/run/run_directory.py"
REGISTRY = "registry.ml-platform.local/workloads"
# Where kwok plays the pods nothing is ever pulled, so that any digest will do.
NO_IMAGE = f"{REGISTRY}/probe@sha256:{'0' * 64}"
BASE_NAME = f"{REGISTRY}/base:1"
_HOME = "opt/ml-platform"
_ENVIRONMENT = f"{_HOME}/environments/main"
# wget is what KubeRay's probes call.
_PACKAGES = "python3,ca-certificates,wget"
_RECIPE = "3"
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
_LAYER, _RECORD = "layer.tar", "layer.json"


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
    debian = debian_layer(say)
    requirements = PROBE / "requirements" / "main.txt"
    base = [debian, environment_layer(say, debian, _ENVIRONMENT, requirements)]
    start = {"PATH": _PATH, "LANG": "C.UTF-8"}
    # Also the sandbox of every pod: it shares the layers, and only has to exist.
    sleeper = Image(base, start, ["sleep", "infinity"])
    image = Image([*base, _probe_layer()], start, user="1000", workdir=f"/{_HOME}/code")
    return ProbeImage(image, sleeper)


def images_folder() -> Path:
    """Where layers are kept."""
    return cache_folder() / "images"


def debian_layer(say: Callable[[str], None]) -> Layer:
    """Debian with Python, and nothing else that is not needed."""
    suite = _suite()
    folder = images_folder() / f"debian-{hash_of(_RECIPE, _PACKAGES, suite, platform.machine())}"
    record = folder / _RECORD
    if not record.exists():
        say("building the base image: Debian")
        folder.mkdir(parents=True, exist_ok=True)
        root = folder / "root"
        _debian(root, suite)
        write_layer(folder / _LAYER, {"": root}).save(record)
        shutil.rmtree(root)
    return Layer.load(folder / _LAYER, record)


def environment_layer(
    say: Callable[[str], None], debian: Layer, environment: str, requirements: Path
) -> Layer:
    """A virtual environment at a place in the image, of the image's Python, with locked packages."""
    key = hash_of(_RECIPE, debian.digest, environment, requirements.read_text())
    folder = images_folder() / f"environment-{key}"
    record = folder / _RECORD
    if not record.exists():
        say(f"building a layer: the packages of {requirements.relative_to(ROOT)}")
        root = folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        with tarfile.open(debian.file) as archive:
            archive.extractall(root, filter="fully_trusted")
        _environment(root, environment, requirements)
        write_layer(folder / _LAYER, {environment: root / environment}).save(record)
        shutil.rmtree(root)
    return Layer.load(folder / _LAYER, record)


def _probe_layer() -> Layer:
    files = sorted(path for path in PROBE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    content = [f"{path.relative_to(PROBE)}\0{path.read_text()}" for path in files]
    content += [RUN_DIRECTORY.read_text(), LAUNCHER.read_text()]
    folder = images_folder() / f"probe-{hash_of(*content)}"
    record = folder / _RECORD
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
        write_layer(folder / _LAYER, sources).save(record)
    return Layer.load(folder / _LAYER, record)


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
    run([*command, *leave_out, suite, str(root), *sources])
    profile = root / "etc" / "profile.d" / "ml-platform.sh"
    profile.write_text(f"PATH={_PATH}\n")  # Debian's /etc/profile forgets the image's PATH
    _compile(root, f"usr/lib/{_python(root)}")


def _python(root: Path) -> str:
    """Name of the image's Python, as in `python3.11`."""
    return (root / "usr" / "bin" / "python3").readlink().name


def _compile(root: Path, folder: str) -> None:
    """Pods cannot write beside the code: without this each of their processes compiles all of it again.

    By hash and unchecked, as the layers have no times by which Python would know that they fit. Exit code 1
    is that of a file that does not compile, no reason to have no image: a test holds what Ray imports.
    """
    how = ["-q", "-f", "-j", "2", "--invalidation-mode", "unchecked-hash"]
    run(["chroot", str(root), _python(root), "-m", "compileall", *how, f"/{folder}"], ok=(0, 1))


def _environment(root: Path, environment: str, requirements: Path) -> None:
    """Filled from outside: there is no network inside."""
    python = _python(root)
    version = python.removeprefix("python")
    folder = root / environment
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
    run(command, uv_environment(os.environ, cache_folder() / "uv"))
    shutil.rmtree(packages / "bin", ignore_errors=True)
    ray = folder / "bin" / "ray"
    ray.write_text(_RAY.format(environment=environment))
    ray.chmod(0o755)
    _compile(root, f"{environment}/lib")


def run(
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


def hash_of(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
