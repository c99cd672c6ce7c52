"""Argo CD without its server: repo server, both controllers, and the redis between them."""

from __future__ import annotations

import math
import os
import re
import secrets
import shutil
from pathlib import Path

from testbed.component import Program
from testbed.layout import LOOPBACK, PORTS, Layout
from testbed.objects import Objects
from testbed.platform_tree import Document, container_of, environment_of
from testbed.readiness import health
from testbed.tools import Tools

NAMESPACE = "argocd"
CONTROLLER = "argocd-application-controller"
APPLICATION_SETS = "argocd-applicationset-controller"
_REDIS = f"{LOOPBACK}:{PORTS['redis']}"
_REPO_SERVER = f"{LOOPBACK}:{PORTS['repo-server']}"
# Of the release's variables these point into a pod.
_OF_A_POD = re.compile(r"HOME|REDIS_.*|.*_(REPO_SERVER|COMMIT_SERVER|PATH|ADDRESS)")


def argocd(layout: Layout, tools: Tools, released: list[Document]) -> list[Program]:
    """In the order in which they start; `released` is the rendered component of the tree."""
    return [
        redis(),
        _repo_server(layout, tools, released),
        _application_controller(layout, tools, released),
        _application_sets(layout, tools, released),
    ]


def prepare_argocd(layout: Layout, tools: Tools) -> None:
    """Folders, and the programs that the repo server calls by name."""
    for name in ("tls", "ssh", "gpg", "gnupg", "plugins", "tmp", "bin"):
        (layout.argocd / name).mkdir(parents=True, exist_ok=True)
    programs = layout.argocd / "bin"
    for name, path in (
        ("argocd", tools.program("argocd")),
        ("kustomize", tools.program("kustomize")),
    ):
        (programs / name).unlink(missing_ok=True)
        (programs / name).symlink_to(path)
    for script in ("git-verify-wrapper.sh", "gpg-wrapper.sh"):
        shutil.copyfile(tools.module_file("argocd", f"hack/{script}"), programs / script)
        (programs / script).chmod(0o755)


def add_session_key(objects: Objects) -> None:
    """What Argo CD's own server would write at its first start; the controllers wait for it."""
    change = {"stringData": {"server.secretkey": secrets.token_hex(16)}}
    objects.patch("v1", "Secret", "argocd-secret", change, NAMESPACE)


def remove_argocd(layout: Layout) -> None:
    """The repo server's copies of repositories have no rights, on purpose."""
    for parent, _, _ in os.walk(layout.argocd / "tmp"):
        Path(parent).chmod(0o700)
        for child in Path(parent).iterdir():
            if child.is_dir() and not child.is_symlink():
                child.chmod(0o700)
    shutil.rmtree(layout.argocd, ignore_errors=True)


def redis() -> Program:
    command = [
        "redis-server",
        "--port",
        str(PORTS["redis"]),
        "--bind",
        LOOPBACK,
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    return Program("redis", command)


def _environment(
    layout: Layout, released: list[Document], kind: str, workload: str, binary: str
) -> dict[str, str]:
    shipped = environment_of(released, container_of(released, kind, workload))
    shipped = {name: value for name, value in shipped.items() if not _OF_A_POD.fullmatch(name)}
    folder = layout.argocd
    return {
        **shipped,
        "ARGOCD_BINARY_NAME": binary,
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
        "ARGOCD_GPG_DATA_PATH": str(folder / "gpg"),
        "ARGOCD_GNUPGHOME": str(folder / "gnupg"),
        "ARGOCD_PLUGINSOCKFILEPATH": str(folder / "plugins"),
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(layout.kubeconfigs / workload),
    }


def _repo_server(layout: Layout, tools: Tools, released: list[Document]) -> Program:
    command = [
        tools.program("argocd"),
        f"--port={PORTS['repo-server']}",
        f"--metrics-port={PORTS['repo-server-metrics']}",
        f"--address={LOOPBACK}",
        f"--metrics-address={LOOPBACK}",
        f"--redis={_REDIS}",
    ]
    name = "argocd-repo-server"
    environment = _environment(layout, released, "Deployment", name, name)
    # It needs no rights in the cluster and has no account there.
    environment["KUBECONFIG"] = str(layout.kubeconfigs / CONTROLLER)
    return Program("repo-server", command, health("repo-server-metrics"), environment)


def _application_controller(layout: Layout, tools: Tools, released: list[Document]) -> Program:
    command = [
        tools.program("argocd"),
        f"--namespace={NAMESPACE}",
        f"--metrics-port={PORTS['application-controller-metrics']}",
        f"--redis={_REDIS}",
        f"--repo-server={_REPO_SERVER}",
    ]
    environment = _environment(layout, released, "StatefulSet", CONTROLLER, CONTROLLER)
    environment["HOSTNAME"] = f"{CONTROLLER}-0"  # its shard
    ready = health("application-controller-metrics")
    return Program("application-controller", command, ready, environment)


def _application_sets(layout: Layout, tools: Tools, released: list[Document]) -> Program:
    command = [
        tools.program("argocd"),
        f"--namespace={NAMESPACE}",
        f"--metrics-addr={LOOPBACK}:{PORTS['applicationset-metrics']}",
        f"--probe-addr={LOOPBACK}:{PORTS['applicationset-probe']}",
        f"--webhook-addr={LOOPBACK}:{PORTS['applicationset-webhook']}",
        f"--argocd-repo-server={_REPO_SERVER}",
        "--enable-leader-election=false",
    ]
    environment = _environment(layout, released, "Deployment", APPLICATION_SETS, APPLICATION_SETS)
    ready = health("applicationset-metrics", "/metrics")  # its probe address answers nothing
    requests = [
        container_of(released, kind, name)["resources"]["requests"]["cpu"]
        for kind, name in (("StatefulSet", CONTROLLER), ("Deployment", APPLICATION_SETS))
    ]
    more, less = (int(request.removesuffix("m")) for request in requests)
    return Program(
        "applicationset-controller", command, ready, environment, nice=niceness(more / less)
    )


def niceness(times: float) -> int:
    """Of a process that shall get so many times less than another, as the shares of two containers say.

    The kernel gives 1.25 times less for each step.
    """
    return round(math.log(times) / math.log(1.25))
