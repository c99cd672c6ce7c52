"""The programs that scripts/build-tools.sh makes from tools/<name>/."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.waiting import TestbedError

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Tools:
    """Folder of each tool, by name."""

    folders: dict[str, Path]

    def program(self, tool: str, name: str | None = None) -> str:
        return str(self.folders[tool] / "bin" / (name or tool))

    def released(self, tool: str) -> Path:
        """The manifests that the tool's authors released."""
        return self.folders[tool] / "manifests.yaml"

    def module_file(self, tool: str, path: str) -> Path:
        return self.folders[tool] / "module" / path


def build_tools(*names: str) -> Tools:
    """Build what is missing, which takes half an hour the first time and nothing afterwards."""
    script = ROOT / "scripts" / "build-tools.sh"
    done = subprocess.run(
        ["sh", str(script), *names], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise TestbedError("the cluster's programs could not be built; the reason is above")
    folders = [Path(line) for line in done.stdout.splitlines()]
    return Tools({folder.name.rsplit("-", 1)[0]: folder for folder in folders})
