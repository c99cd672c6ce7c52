"""Ends the cluster and takes everything away that it left in the machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from testbed.argocd import remove_argocd
from testbed.component import Component, Program
from testbed.containers import end_shims, remove_containers
from testbed.layout import Layout
from testbed.network import remove_network

# What makes containers goes before them, what they need goes after them.
_FIRST = ("kubelet", "gpu-keeper", "kube-proxy", "kuberay", "kueue")
_LAST = ("apiserver", "etcd", "containerd")
_KEPT = ("containerd", "certificates")


def stop(layout: Layout, say: Callable[[str], None]) -> None:
    """By recorded pid; the imported images stay. Safe to run at any time, also twice."""
    programs = [Program.load(file) for file in layout.programs.glob("*.json")]
    components = {program.name: Component(program, layout) for program in programs}
    middle = [name for name in components if name not in _FIRST + _LAST]
    for name in (*_FIRST, *middle):
        if name in components:
            components[name].stop()
    containerd = components.get("containerd")
    if containerd is not None and containerd.running:
        remove_containers(layout)
    for name in _LAST:
        if name in components:
            components[name].stop()
    if layout.real_pods:
        end_shims(layout)
        remove_network(layout)
    remove_argocd(layout)
    if layout.state.exists():
        _remove_state(layout)
    say("the cluster is down; its images are kept")


def _remove_state(layout: Layout) -> None:
    for path in layout.state.iterdir():
        if path.name in _KEPT or path == layout.logs:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
