"""Finds the cluster of this machine, running or not."""

from __future__ import annotations

from collections.abc import Callable

from testbed.component import Component, Program
from testbed.layout import Layout, cache_folder
from testbed.requirements_check import refuse_if_asked_for, why_no_real_pods

UP, REAL = "up", "real pods"


def running_layout(say: Callable[[str], None] = print) -> Layout:
    """Where the cluster of this machine is, or would be."""
    state = cache_folder() / "cluster"
    reason = why_no_real_pods()
    up = state / UP
    real_pods = up.read_text() == REAL if up.exists() else reason is None
    if not real_pods:
        refuse_if_asked_for("the cluster that is up has none; make cluster-down ends it")
        say(f"real pods cannot run here, kwok plays them: {reason or 'the cluster is up so'}")
    return Layout(state, real_pods)


def is_up(layout: Layout) -> bool:
    """Whether a start has finished and its API server runs."""
    file = layout.programs / "apiserver.json"
    started = (layout.state / UP).exists()
    return started and file.exists() and Component(Program.load(file), layout).running


def note_up(layout: Layout) -> None:
    """A start has finished."""
    (layout.state / UP).write_text(REAL if layout.real_pods else "kwok")
