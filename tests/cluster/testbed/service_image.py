"""The image of the platform's service: what `docker/ml-platform.Dockerfile` holds, made without an engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ml_platform.build.package_index import uv_environment
from testbed.images import debian_layer, environment_layer, hash_of, images_folder, run
from testbed.layout import cache_folder
from testbed.oci import Image, Layer, write_layer
from testbed.tools import ROOT

_HOME = "opt/ml-platform"
_ENVIRONMENT = f"{_HOME}/.venv"
_REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
_CODE = ROOT / "python-actions" / "src"
# Read by the service; environments and runs may lie beside a workload's files on this machine.
_SEEDS = ("gitops", "workloads")
_IGNORED = ("__pycache__", "environments", "run")
_START = f"""\
#!/{_ENVIRONMENT}/bin/python
import sys
from ml_platform.cli import main
sys.exit(main())
"""


def service_image(say: Callable[[str], None]) -> Image:
    """Build what is not in the cache; a minute the first time."""
    debian = debian_layer(say)
    packages = environment_layer(say, debian, _ENVIRONMENT, _REQUIREMENTS)
    environment = {
        "PATH": f"/{_HOME}/bin:/{_ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"/{_HOME}/package",
        "LANG": "C.UTF-8",
        "ML_PLATFORM_ROOT": f"/{_HOME}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    return Image(
        [debian, packages, _code_layer()],
        environment,
        command=["serve"],
        entrypoint=["ml-platform"],
        user="1000",
        workdir=f"/{_HOME}",
    )


def _code_layer() -> Layer:
    """The package, installed, and what the service reads of the repository."""
    content = [f"{path.relative_to(ROOT)}\0{path.read_bytes()!r}" for path in _files()]
    folder = images_folder() / f"service-{hash_of(_START, *content)}"
    record = folder / "layer.json"
    if not record.exists():
        shutil.rmtree(folder, ignore_errors=True)
        package, start = folder / "package", folder / "bin" / "ml-platform"
        start.parent.mkdir(parents=True)
        start.write_text(_START)
        start.chmod(0o755)
        uv = str(ROOT / ".venv" / "bin" / "uv")
        command = [uv, "pip", "install", "--quiet", "--no-config", "--no-deps"]
        command += ["--target", str(package), str(ROOT)]
        run(command, uv_environment(os.environ, cache_folder() / "uv"))
        for name in _SEEDS:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*_IGNORED))
        parts = ("package", "bin", *_SEEDS)
        layer = write_layer(folder / "layer.tar", {f"{_HOME}/{p}": folder / p for p in parts})
        layer.save(record)
    return Layer.load(folder / "layer.tar", record)


def _files() -> Iterator[Path]:
    for top in (_CODE, *(ROOT / name for name in _SEEDS)):
        for path in sorted(top.rglob("*")):
            if path.is_file() and not set(_IGNORED).intersection(path.parts):
                yield path
    yield ROOT / "pyproject.toml"
