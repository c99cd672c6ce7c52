"""The shipped GitOps tree with the test cluster's pools and teams, and what it renders to.

Its components name their releases by URL. Here these are the copies that the Go modules carry, of
the very version, so that everything the tree changes in a release is tested as it is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from ml_platform import gitops_folder
from testbed.layout import Layout
from testbed.tools import ROOT, Tools
from testbed.waiting import TestbedError

Document = dict[str, Any]
SITE = ROOT / "tests" / "cluster" / "site"
# Repository of a release → tool, its Go module, and what of the path lies outside the module.
_RELEASES = {
    "argoproj/argo-cd": ("argocd", "github.com/argoproj/argo-cd/v3", ""),
    "kubernetes-sigs/kueue": ("kueue", "sigs.k8s.io/kueue", ""),
    "ray-project/kuberay": (
        "kuberay",
        "github.com/ray-project/kuberay/ray-operator",
        "ray-operator/",
    ),
}
_URL = re.compile(
    r"https://github\.com/(?P<repository>[\w.-]+/[\w.-]+)//(?P<path>\S+?)\?ref=(?P<ref>v\S+)"
)
# What runs as a process of this machine instead.
_PROCESSES = {"Deployment", "StatefulSet", "Service", "APIService", "NetworkPolicy"}


def make_tree(layout: Layout) -> None:
    """Copy `gitops/`, lay the test site over it and bring generated files in line."""
    tree = layout.tree
    shutil.rmtree(tree, ignore_errors=True)
    leave_out = shutil.ignore_patterns("pools.yaml", "team.yaml", "jobs", "archive", "in-cluster")
    shutil.copytree(ROOT / "gitops", tree, ignore=leave_out)
    shutil.rmtree(tree / "teams", ignore_errors=True)
    shutil.copytree(SITE / "gitops", tree, dirs_exist_ok=True)
    site = tree / "site" / "site.yaml"
    address = f"repository: file://{layout.repository}"
    text = re.sub(r"repository: \S+", address, site.read_text())
    # Argo CD's own name is the second of two, as where several clusters know it by different ones.
    site.write_text(text.replace("argoCdUsers: ", "argoCdUsers: argocd@elsewhere.example.org "))
    gitops_folder.apply(tree, gitops_folder.changes(tree))


class Rendering:
    """Renders folders of the tree by kustomize, with the releases taken from the Go modules."""

    def __init__(self, layout: Layout, tools: Tools, folder: str = "rendering") -> None:
        self._tools = tools
        self._folder = layout.state / folder
        self._certificate = layout.certificates / "ca.crt"

    def prepare(self, tree: Path) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(tree, self._folder)
        for tool, _, _ in _RELEASES.values():
            shutil.copytree(self._tools.folders[tool] / "module", self._folder / "releases" / tool)
        for file in (self._folder / "platform").glob("*/kustomization.yaml"):
            file.write_text(_URL.sub(self._local, file.read_text()))

    def render(self, folder: str) -> list[Document]:
        """The objects of one folder of the tree."""
        done = subprocess.run(
            [self._tools.program("kustomize"), "build", str(self._folder / folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise TestbedError(f"gitops/{folder} does not render: {done.stderr.strip()}")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [document for document in yaml.load_all(done.stdout, loader) if document]

    def _local(self, url: re.Match[str]) -> str:
        tool, module, above = _RELEASES[url["repository"]]
        built = (ROOT / "tools" / tool / "go.mod").read_text()
        if f"{module} {url['ref']}" not in re.split(r" // |\n\t?|require ", built):
            raise TestbedError(f"{url[0]}: tools/{tool}/go.mod pins another version")
        return f"../../releases/{tool}/{url['path'].removeprefix(above)}"


def without_descriptions(schema: Any) -> Any:
    """A kind's definition without its prose, which is most of it: the API server starts in half the time."""
    if isinstance(schema, list):
        return [without_descriptions(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: without_descriptions(value)
        for name, value in schema.items()
        # A property may have the same name; its schema is no text.
        if not (name == "description" and isinstance(value, str))
    }


def without_processes(documents: list[Document]) -> list[Document]:
    """Objects of a release, but for the workloads: these run outside the cluster."""
    return [item for item in documents if item["kind"] not in _PROCESSES]


def find(documents: list[Document], kind: str, name: str) -> Document:
    """The object of that kind and name; raises TestbedError when the release has none."""
    for document in documents:
        if document["kind"] == kind and document["metadata"]["name"] == name:
            return document
    raise TestbedError(f"the release has no {kind} {name}")


def container_of(documents: list[Document], kind: str, name: str) -> Document:
    """The first container of a workload of the release."""
    pod = find(documents, kind, name)["spec"]["template"]["spec"]
    container: Document = pod["containers"][0]
    return container


def environment_of(documents: list[Document], container: Document) -> dict[str, str]:
    """The container's variables, those from ConfigMaps included, as its pod would have them."""
    variables = {}
    for variable in container.get("env", []):
        if "value" in variable:
            variables[variable["name"]] = str(variable["value"])
            continue
        reference = variable.get("valueFrom", {}).get("configMapKeyRef")
        if reference is None:
            continue
        data = find(documents, "ConfigMap", reference["name"]).get("data") or {}
        if reference["key"] in data:
            variables[variable["name"]] = str(data[reference["key"]])
    return variables
