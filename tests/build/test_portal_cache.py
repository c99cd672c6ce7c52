"""The built portal is kept outside the tree: another clone takes it; what is wrong with it stops nobody."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Makes what `yarn workspace backend build` makes, and notes that it was asked.
YARN = """#!/bin/sh
set -eu
echo built >> yarn-calls
dist=backstage/packages/backend/dist
mkdir -p "$dist" backstage/packages/app/dist made/backstage/packages/backend made/backstage/packages/app/dist
echo '{"name": "backend"}' > made/backstage/packages/backend/package.json
echo '{"name": "app"}' > made/backstage/packages/app/package.json
for pages in backstage/packages/app/dist made/backstage/packages/app/dist; do
  cp backstage/source.ts "$pages/page"
done
tar -czf "$dist/skeleton.tar.gz" -C made backstage
tar -czf "$dist/bundle.tar.gz" -C made backstage/packages/app/dist
rm -rf made
"""
# Names a package by its folder, as the script asks.
NODE = """#!/bin/sh
basename "$(dirname "$3")"
"""


class Clone:
    """A tree with the script, sources and a stand-in for Yarn."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self._cache = folder, cache
        for name in ("build-backstage.sh", "cache-folder.sh"):
            (folder / "scripts").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "scripts" / name, folder / "scripts")
        for name in ("package.json", "yarn.lock", ".yarnrc.yml", "tsconfig.json"):
            shutil.copy(ROOT / name, folder)
        (folder / "backstage" / "packages" / "app").mkdir(parents=True)
        (folder / "backstage" / "app-config.yaml").write_text("app: {}\n")
        self.edit("first")
        tools = folder / ".tools" / "bin"
        tools.mkdir(parents=True)
        for name, text in (("yarn", YARN), ("node", NODE)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)

    def edit(self, text: str) -> None:
        (self.folder / "backstage" / "source.ts").write_text(text)

    def build(self) -> str:
        """What the portal was built from; its pages lie where the backend looks for them, too."""
        script = ["sh", str(self.folder / "scripts" / "build-backstage.sh")]
        environment = {**os.environ, "ML_PLATFORM_CACHE": str(self._cache)}
        subprocess.run(script, env=environment, check=True, capture_output=True)
        build = self.folder / "backstage" / "build"
        assert (build / "node_modules" / "backend" / "package.json").exists()
        page = Path("backstage", "packages", "app", "dist", "page")
        assert (self.folder / page).read_text() == (build / page).read_text()
        return (build / page).read_text()

    def times_built(self) -> int:
        calls = self.folder / "yarn-calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_second_clone_takes_what_the_first_one_built(tmp_path: Path, cache: Path) -> None:
    first, second = Clone(tmp_path / "first", cache), Clone(tmp_path / "second", cache)
    assert (first.build(), first.build(), second.build()) == ("first", "first", "first")
    assert (first.times_built(), second.times_built()) == (1, 0)
    assert [folder.is_dir() for folder in (cache / "portal").iterdir()] == [True]

    second.edit("second")
    assert second.build() == "second"
    second.edit("first")
    assert second.build() == "first"
    assert second.times_built() == 1


@pytest.mark.parametrize("damage", ["no stamp", "another stamp", "no folder"])
def test_a_copy_that_cannot_be_used_is_built_and_kept_anew(
    tmp_path: Path, cache: Path, damage: str
) -> None:
    first, second = Clone(tmp_path / "first", cache), Clone(tmp_path / "second", cache)
    first.build()
    (kept,) = (cache / "portal").iterdir()
    page = kept / "backstage" / "packages" / "app" / "dist" / "page"
    page.write_text("damaged")
    if damage == "another stamp":
        (kept / ".stamp").write_text("0" * 40)
    else:
        (kept / ".stamp").unlink()
    if damage == "no folder":
        shutil.rmtree(kept)
        kept.write_text("a file")
    assert second.build() == "first"
    assert second.times_built() == 1
    assert page.read_text() == "first"


def test_a_cache_that_cannot_be_written_changes_nothing(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file")
    clone = Clone(tmp_path / "clone", cache)
    assert clone.build() == "first"
    assert clone.times_built() == 1


def test_three_builds_are_kept(tmp_path: Path, cache: Path) -> None:
    clone = Clone(tmp_path / "clone", cache)
    for number in range(5):
        clone.edit(str(number))
        clone.build()
    assert len(list((cache / "portal").iterdir())) == 3
