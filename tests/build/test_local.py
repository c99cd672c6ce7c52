"""Real builds with uv of a workload that has no dependency, so that no network is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ml_platform.build.images import ImageStore
from ml_platform.build.local import build_image, remove_read_only, workload_folder
from ml_platform.errors import InputError, NotFoundError, ServiceUnavailableError
from ml_platform.settings import Settings


def run_in_image(store: ImageStore, digest: str) -> str:
    folder = store.folder(digest)
    done = subprocess.run(
        [folder / "environments" / "main" / "bin" / "python", "main.py"],
        cwd=folder / "code",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_image_holds_launcher_code_and_environments(tiny: Path, settings: Settings) -> None:
    image = build_image(tiny, "v1", settings)
    store = ImageStore(settings)
    folder = store.folder(image.digest)
    assert os.access(folder / "bin" / "launcher", os.X_OK)
    assert store.workload_file(image.digest).is_file()
    assert image.reference.endswith(f"/tiny@{image.digest}")
    assert image.size_bytes > 0
    assert run_in_image(store, image.digest) == "one\n"
    assert store.list() == [image] == [store.resolve("tiny", "v1")]


def test_the_environment_has_the_platforms_own_python(tiny: Path, settings: Settings) -> None:
    (tiny / "main.py").write_text("import sys; print(sys.version)\n")
    image = build_image(tiny, "v1", settings)
    assert run_in_image(ImageStore(settings), image.digest) == sys.version + "\n"


def test_the_same_inputs_give_the_same_image_and_nothing_is_done(
    tiny: Path, settings: Settings
) -> None:
    first = build_image(tiny, "v1", settings)
    written = ImageStore(settings).folder(first.digest).stat().st_mtime_ns
    said: list[str] = []
    assert build_image(tiny, "v1", settings, said.append) == first
    assert ImageStore(settings).folder(first.digest).stat().st_mtime_ns == written
    assert said == []


def test_two_versions_of_the_same_code_share_one_digest(tiny: Path, settings: Settings) -> None:
    first = build_image(tiny, "v1", settings)
    second = build_image(tiny, "v2", settings)
    assert (second.digest, second.version) == (first.digest, "v2")
    assert [image.version for image in ImageStore(settings).list()] == ["v2", "v1"]


def test_a_job_runs_the_code_that_was_built_although_the_checkout_changed(
    tiny: Path, settings: Settings
) -> None:
    image = build_image(tiny, "v1", settings)
    (tiny / "main.py").write_text("print('two')\n")
    assert run_in_image(ImageStore(settings), image.digest) == "one\n"


def test_building_a_version_again_moves_it_and_keeps_the_old_image(
    tiny: Path, settings: Settings
) -> None:
    old = build_image(tiny, "v1", settings)
    (tiny / "main.py").write_text("print('two')\n")
    said: list[str] = []
    new = build_image(tiny, "v1", settings, said.append)
    store = ImageStore(settings)
    assert store.resolve("tiny", "v1") == new
    assert run_in_image(store, old.digest) == "one\n"
    assert run_in_image(store, new.digest) == "two\n"
    assert any("now stands for" in line and "keep the old one" in line for line in said)


def test_code_is_what_git_would_see_and_read_only(tiny: Path, settings: Settings) -> None:
    (tiny / "data").mkdir()
    (tiny / "data" / "big.bin").write_text("ignored")
    (tiny / "deep").mkdir()
    (tiny / "deep" / "tool.sh").write_text("#!/bin/sh\n")
    (tiny / "deep" / "tool.sh").chmod(0o755)
    image = build_image(tiny, "v1", settings)
    code = ImageStore(settings).folder(image.digest) / "code"
    files = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    expected = {".gitignore", "deep/tool.sh", "main.py", "requirements.txt", "workload.yaml"}
    assert files == expected
    assert (code / "main.py").stat().st_mode & 0o777 == 0o444
    assert (code / "deep" / "tool.sh").stat().st_mode & 0o777 == 0o555
    assert code.stat().st_mode & 0o222 == 0


def test_a_link_out_of_the_folder_is_refused(tiny: Path, settings: Settings) -> None:
    (tiny / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="passwd: is a link out of the workload's folder"):
        build_image(tiny, "v1", settings)


def test_a_lock_without_hashes_is_refused_with_the_fix(
    tiny: Path, settings: Settings, ray_only: str
) -> None:
    (tiny / "requirements.txt").write_text(ray_only + "six==1.17.0\n")
    with pytest.raises(InputError, match=r"requirements\.txt: .*--generate-hashes"):
        build_image(tiny, "v1", settings)
    assert ImageStore(settings).list() == []
    assert not list(settings.images_dir.glob("sha256-*"))


def test_a_lock_for_another_ray_is_refused(tiny: Path, settings: Settings) -> None:
    (tiny / "requirements.txt").write_text("ray[default]==2.9.0 --hash=sha256:00\n")
    with pytest.raises(InputError, match=r"asks for Ray 2\.9\.0, the platform runs"):
        build_image(tiny, "v1", settings)


def test_a_lock_without_ray_is_refused_with_the_fix(tiny: Path, settings: Settings) -> None:
    (tiny / "requirements.txt").write_text("# nothing but Python\n")
    with pytest.raises(InputError, match=r"requirements\.txt: has no Ray") as refusal:
        build_image(tiny, "v1", settings)
    assert refusal.value.hint is not None and "add ray[default]==" in refusal.value.hint


def test_a_silent_package_index_is_named(
    tiny: Path, settings: Settings, ray_only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = "six==1.17.0 --hash=sha256:" + "0" * 64 + "\n"
    (tiny / "requirements.txt").write_text(ray_only + lock)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tiny.parent / "cache"))
    with pytest.raises(ServiceUnavailableError, match="package index does not answer"):
        build_image(tiny, "v1", settings)


def test_a_missing_lock_and_an_unknown_workload_are_named(tiny: Path, settings: Settings) -> None:
    (tiny / "requirements.txt").unlink()
    with pytest.raises(InputError, match=r"requirements\.txt: does not exist"):
        build_image(tiny, "v1", settings)
    with pytest.raises(NotFoundError, match="workloads/ has: tiny"):
        workload_folder("stellar", settings)


@pytest.mark.parametrize("version", ["", "a/b", "-v", "v 1", "v\n", "../x", "v" * 64])
def test_a_version_that_no_job_could_ask_for_is_refused(
    tiny: Path, settings: Settings, version: str
) -> None:
    with pytest.raises(InputError, match="version: use letters") as caught:
        build_image(tiny, version, settings)
    assert caught.value.field == "version"
    assert ImageStore(settings).list() == []


def test_an_unknown_version_names_those_that_exist(tiny: Path, settings: Settings) -> None:
    build_image(tiny, "v1", settings)
    with pytest.raises(NotFoundError, match=r"it has v1; .*ml-platform build tiny v9"):
        ImageStore(settings).resolve("tiny", "v9")


def test_an_image_that_was_removed_is_built_again(tiny: Path, settings: Settings) -> None:
    image = build_image(tiny, "v1", settings)
    store = ImageStore(settings)
    remove_read_only(store.folder(image.digest))
    assert store.list() == []
    assert build_image(tiny, "v1", settings).digest == image.digest
    assert run_in_image(store, image.digest) == "one\n"


def test_builds_at_the_same_time_end_with_one_whole_image(tiny: Path, settings: Settings) -> None:
    digests: list[str] = []
    threads = [
        threading.Thread(
            target=lambda n=n: digests.append(build_image(tiny, f"v{n}", settings).digest)
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests) == 4 and len(set(digests)) == 1
    assert [path.name for path in settings.images_dir.glob("sha256-*")]
    assert not list(settings.state_dir.rglob("*.tmp"))
