"""`ml-platform generate`: bring generated files of the GitOps repository in line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ml_platform.cli.output import print_line, say
from ml_platform.gitops_folder import apply, changes
from ml_platform.settings import Settings


def generate(
    folder: Annotated[
        Path | None,
        typer.Option(
            help="A clone of the GitOps repository; the current folder if it is one, else the "
            "checkout's gitops/.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only name what is out of date; exit 1 if anything is.")
    ] = False,
) -> None:
    """Write the queues, namespaces and anchors that follow from pools.yaml and teams/.

    Run it after an edit of pools.yaml or of a team, and commit its result together with the edit.
    """
    place = folder or _clone()
    found = changes(place)
    if not check:
        apply(place, found)
    for change in found:
        print_line(change.path)
    say(f"{len(found)} files {'are out of date' if check else 'written or removed'} in {place}")
    if check and found:
        raise typer.Exit(1)


def _clone() -> Path:
    here = Path.cwd()
    return here if (here / "pools.yaml").is_file() else Settings().root / "gitops"
