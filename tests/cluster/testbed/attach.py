"""Finds the cluster of this machine, running or not."""

from __future__ import annotations

from collections.abc import Callable

from testbed.component import Component, Program
from testbed.layout import Layout, cache_folder
from testbed.requirements_check import why_no_real_pods

SENTENCE = "real pods cannot run here, kwok plays them: "


def running_layout(say: Callable[[str], None] = print) -> Layout:
    """Where the cluster of this machine is, or would be."""
    reason = why_no_real_pods()
    if reason is not None:
        say(f"{SENTENCE}{reason}")
    return Layout(cache_folder() / "cluster", real_pods=reason is None)


def is_up(layout: Layout) -> bool:
    """Whether a start has finished and its API server runs."""
    file = layout.programs / "apiserver.json"
    started = (layout.state / "up").exists()
    return started and file.exists() and Component(Program.load(file), layout).running
