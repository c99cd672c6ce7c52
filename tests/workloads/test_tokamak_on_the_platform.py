"""The second workload's road on a platform of its own, without the portal: by command line and by SDK."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.real_platform import RealPlatform

from ml_platform.build.local import remove_read_only

PARAMETERS = {"rows": 64, "members": 2, "hidden": 16, "updates": 200}
PICTURES = ("profiles", "held-out-points", "fusion-gain-map", "training")


@pytest.fixture(scope="module")
def platform() -> Iterator[RealPlatform]:
    # A short folder: pytest's own ones are too deep for Ray's sockets.
    folder = Path(tempfile.mkdtemp(prefix="mlp-tokamak-"))
    platform = RealPlatform(folder / "state")
    try:
        platform.run("build", "tokamak_profiles", "v1.0.0")
        platform.start("--no-portal")
        yield platform
    finally:
        platform.stop()
        remove_read_only(platform.home / "images")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(900)  # each job starts a dozen processes and compiles
def test_the_command_line_and_the_sdk_start_jobs_that_end_with_the_same_results(
    platform: RealPlatform,
) -> None:
    asked = [f"--param={name}={value}" for name, value in PARAMETERS.items()]
    words = ("submit", "tokamak_profiles:v1.0.0", "--team", "edge-plasma", "--workers", "1", *asked)
    with platform.client() as owner:
        ours = owner.submit_job(
            "tokamak_profiles", "v1.0.0", team="edge-plasma", workers=1, parameters=PARAMETERS
        )
        theirs = json.loads(platform.run(*words, "--watch", "--output", "json"))
        ours.wait(check=True)
        first, second = ours.results(), owner.job(theirs["id"]).results()

        assert theirs["state"]["phase"] == ours.status == "succeeded"
        assert first.summary == second.summary  # neither time nor place changes it
        assert first.summary is not None and theirs["headline"] is not None
        assert theirs["headline"]["value"] == first.summary["temperature_error"]
        pictures = {file.path for file in first.files if file.media_type == "image/png"}
        assert pictures == {f"{name}{suffix}.png" for name in PICTURES for suffix in ("", "-dark")}
        names = {series.name for series in ours.metrics().series}
        assert {"temperature_error", "rows_solved", "fusion_gain"} <= names
        assert platform.git("log", "--oneline", "main", "--", "jobs/edge-plasma").count("\n") >= 2
