"""`ml-platform build`: make an image of a workload on this machine, or record one made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ml_platform.build.local import build_image, workload_folder
from ml_platform.build.recorded import record_image
from ml_platform.cli.output import Format, OutputOption, print_json, print_line, say
from ml_platform.errors import InputError
from ml_platform.settings import Settings


def build(
    workload: Annotated[str, typer.Argument(help="Name of a folder of workloads/.")],
    version: Annotated[str, typer.Argument(help="What to call it, such as v1.0.0.")],
    path: Annotated[
        Path | None,
        typer.Option(help="The workload's folder, when it is not in workloads/.", exists=True),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            help="Build nothing: let the version stand for this pushed image, by digest. For clusters.",
            metavar="REGISTRY/NAME@sha256:…",
        ),
    ] = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Build an image: the workload's locked packages and its code as they are now.

    Jobs run from the image, whatever happens to the files afterwards. Nothing is done when nothing
    has changed since the last build.
    """
    settings = Settings()
    folder = path.resolve() if path else workload_folder(workload, settings)
    if image is None and not settings.local:
        raise InputError(
            "clusters cannot run what is built here",
            field="--image",
            hint="build and push it (docker/README.md), then give --image <registry>/<name>@sha256:…",
        )
    if image is None:
        made = build_image(folder, version, settings, say)
        say(f"{made.workload} {made.version} is ready ({made.size_bytes / 1e6:.0f} MB)")
    else:
        made = record_image(folder, version, image, settings, say)
        say(f"{made.workload} {made.version} is on record")
    if output is Format.JSON:
        print_json(made)
    else:
        print_line(made.reference)
