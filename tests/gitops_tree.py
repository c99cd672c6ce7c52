"""The GitOps tree as tests read it: its documents, what it renders to, and the kinds' schemas."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
TREE = ROOT / "gitops"
SCHEMAS = Path(__file__).parent / "contract" / "schemas"
Document = dict[str, Any]
# A release that a component of the tree names by its address → its Go module, and the folder in it.
RELEASES = {
    "argoproj/argo-cd": ("github.com/argoproj/argo-cd/v3", ""),
    "kubernetes-sigs/kueue": ("sigs.k8s.io/kueue", ""),
    "ray-project/kuberay": ("github.com/ray-project/kuberay/ray-operator", "ray-operator/"),
}
RELEASE = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)//(\S+)\?ref=(v[0-9.]+)")


@cache
def kinds() -> dict[str, jsonschema.Draft202012Validator]:
    """`group/version/Kind` → what checks such an object; unknown fields are errors."""
    found = {}
    for file in SCHEMAS.glob("*.json"):
        document = json.loads(file.read_text(encoding="utf-8"))
        for name, schema in document["kinds"].items():
            whole = {"$defs": document["$defs"], **schema}
            found[name] = jsonschema.Draft202012Validator(whole)
    return found


def check(document: Document) -> None:
    """Raise jsonschema.ValidationError, or KeyError for a kind without a schema."""
    kinds()[f"{document['apiVersion']}/{document['kind']}"].validate(document)


def documents(file: Path) -> list[Document]:
    """Every document of a file; an empty one is None and fails whoever reads it."""
    return list(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader))


def find(found: list[Document], kind: str, name: str) -> Document:
    """The one object of that kind and name."""
    (one,) = [d for d in found if d["kind"] == kind and d["metadata"]["name"] == name]
    return one


def kustomization(folder: Path) -> Document:
    return documents(folder / "kustomization.yaml")[0]


@cache
def _kustomize() -> list[str]:
    if program := shutil.which("kustomize"):
        return [program, "build"]
    if program := shutil.which("kubectl"):
        return [program, "kustomize"]
    if shutil.which("go"):
        script = ["sh", str(ROOT / "scripts" / "build-tools.sh"), "kustomize"]
        folder = subprocess.run(script, check=True, capture_output=True, text=True).stdout.strip()
        return [f"{folder}/bin/kustomize", "build"]
    pytest.skip("needs kustomize, kubectl or Go, which builds kustomize; install one of them")


@cache
def render(folder: Path) -> list[Document]:
    """What Argo CD would apply for a folder of a tree; fails with what kustomize says."""
    done = subprocess.run([*_kustomize(), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{folder}: {done.stderr.strip()}"
    assert "Warning" not in done.stderr, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


@cache
def module_folder(module: str, version: str) -> Path:
    """The folder of a Go module's release, downloaded when it is not there."""
    if not shutil.which("go"):
        pytest.skip("needs Go, which fetches the releases as modules; see https://go.dev/dl")
    command = ["go", "mod", "download", "-json", f"{module}@{version}"]
    # Argo CD's module asks for a newer Go than a machine may have.
    environment = {**os.environ, "GOTOOLCHAIN": "auto", "GOFLAGS": "-mod=mod"}
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() or done.stdout.decode()
    return Path(json.loads(done.stdout)["Dir"])


def with_local_releases(target: Path) -> Path:
    """A copy of the tree whose components take the releases from this machine."""
    shutil.copytree(TREE, target)
    for file in target.glob("platform/*/kustomization.yaml"):

        def local(found: re.Match[str], file: Path = file) -> str:
            module, prefix = RELEASES[found[1]]
            folder = module_folder(module, found[3]) / found[2].removeprefix(prefix)
            return os.path.relpath(folder, file.parent.resolve())

        file.write_text(RELEASE.sub(local, file.read_text(encoding="utf-8")), encoding="utf-8")
    return target


def with_ingress(tree: Path) -> None:
    """Give the service of a copy of the tree an address of its own, as its comments say how."""
    file = tree / "platform" / "ml-platform" / "kustomization.yaml"
    text = file.read_text("utf-8")
    assert "components:\n" in text
    file.write_text(text.replace("components:\n", "components:\n  - ingress\n"), "utf-8")
