"""Images that were built elsewhere: what is kept of them, and which references are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml_platform.build.images import ImageStore
from ml_platform.build.recorded import record_image
from ml_platform.errors import ConflictError, InputError
from ml_platform.settings import Settings, WorkloadCluster

DIGEST = "sha256:" + "a" * 64
REFERENCE = f"registry.ml-platform.local/workloads/tiny@{DIGEST}"


@pytest.fixture
def on_cluster(settings: Settings) -> Settings:
    return settings.model_copy(update={"clusters": (WorkloadCluster(name="gpu"),)})


def test_a_version_stands_for_the_recorded_image(tiny: Path, on_cluster: Settings) -> None:
    image = record_image(tiny, "v1", REFERENCE, on_cluster)
    store = ImageStore(on_cluster)
    assert (image.reference, image.digest) == (REFERENCE, DIGEST)
    assert store.list() == [image] == [store.resolve("tiny", "v1")]
    assert store.workload_file(DIGEST).read_bytes() == (tiny / "workload.yaml").read_bytes()


def test_recording_again_changes_nothing_and_another_image_is_said(
    tiny: Path, on_cluster: Settings
) -> None:
    said: list[str] = []
    first = record_image(tiny, "v1", REFERENCE, on_cluster, said.append)
    assert record_image(tiny, "v1", REFERENCE, on_cluster, said.append) == first
    assert said == []
    record_image(tiny, "v1", REFERENCE.replace("a" * 64, "b" * 64), on_cluster, said.append)
    assert "now stands for sha256:bbbb" in said[0]


def test_one_image_has_one_definition(tiny: Path, on_cluster: Settings) -> None:
    record_image(tiny, "v1", REFERENCE, on_cluster)
    with (tiny / "workload.yaml").open("a") as file:
        file.write("headline: null\n")
    with pytest.raises(ConflictError, match=r"with another workload\.yaml"):
        record_image(tiny, "v2", REFERENCE, on_cluster)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("registry.ml-platform.local/workloads/tiny:v1", "by digest"),
        (f"registry.ml-platform.local/workloads/tiny:v1@{DIGEST}x", "by digest"),
        (f"docker.io/library/tiny@{DIGEST}", "must lie in registry.ml-platform.local/workloads/"),
        (f"registry.ml-platform.local/workloads-evil/tiny@{DIGEST}", "must lie in"),
        (f"registry.ml-platform.local/workloads/tiny:v1@{DIGEST}", "without a tag"),
        (f"registry.ml-platform.local/workloads/../tiny@{DIGEST}", "must be a plain name"),
        ("", "by digest"),
    ],
)
def test_a_reference_that_clusters_refuse_is_refused(
    reference: str, reason: str, tiny: Path, on_cluster: Settings
) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        record_image(tiny, "v1", reference, on_cluster)
    assert refused.value.field == "image"
    assert ImageStore(on_cluster).list() == []


def test_one_machine_builds_its_images_itself(tiny: Path, settings: Settings) -> None:
    with pytest.raises(InputError, match="builds itself"):
        record_image(tiny, "v1", REFERENCE, settings)
