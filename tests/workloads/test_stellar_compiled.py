"""Where `stellar_optimization` keeps what JAX compiles, and that one worker at a time compiles it."""

import errno
import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import psutil
import pytest
from ray_fixture import eventually
from stellar_optimization.search.compiled import (
    FOLDER,
    LOOK_AGAIN,
    keep_compiled,
    turn_to_compile,
)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this test alone: with a cache folder, without settings of JAX."""
    names = [name for name in os.environ if name.startswith("JAX_")]
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k not in names})
    os.environ["XDG_CACHE_HOME"] = str(tmp_path / "cache")


def test_what_is_compiled_is_kept_in_the_user_s_cache_and_is_the_user_s_alone() -> None:
    keep_compiled()
    folder = Path(os.environ[FOLDER])
    assert folder.parent == Path(os.environ["XDG_CACHE_HOME"]) / "stellar_optimization"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.environ["JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"] == "none"


def test_a_folder_that_is_named_already_is_taken(tmp_path: Path) -> None:
    os.environ[FOLDER] = str(tmp_path / "named")
    keep_compiled()
    assert os.environ[FOLDER] == str(tmp_path / "named")
    assert (tmp_path / "named").is_dir()


def test_where_nothing_can_be_written_nothing_is_kept_and_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    keep_compiled()
    assert not [name for name in os.environ if name.startswith("JAX_")]
    with turn_to_compile("model"), turn_to_compile("model"):
        pass


def test_a_lock_that_cannot_be_opened_or_taken_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_compiled()
    (Path(os.environ[FOLDER]) / "model.lock").mkdir()
    with turn_to_compile("model"):
        pass

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with turn_to_compile("other"), turn_to_compile("other"):
        pass


def test_one_worker_compiles_a_model_and_others_wait_but_not_for_ever() -> None:
    keep_compiled()
    entered = Event()

    def enter(name: str, patience: float = 60.0) -> None:
        with turn_to_compile(name, patience):
            entered.set()

    with ThreadPoolExecutor() as pool:
        with turn_to_compile("model"):
            pool.submit(enter, "other").result(30)
            entered.clear()
            waiting = pool.submit(enter, "model")
            assert not entered.wait(3 * LOOK_AGAIN)
            pool.submit(enter, "model", 0.5).result(30)
        waiting.result(30)


def test_all_that_waited_for_a_model_load_it_at_once() -> None:
    keep_compiled()
    entered, inside = Event(), Barrier(2, timeout=30)

    def load() -> None:
        with turn_to_compile("model", 60.0):
            entered.set()
            inside.wait()

    def all_have_opened_it() -> bool:
        files = [Path(file.path).name for file in psutil.Process().open_files()]
        return files.count("model.lock") == 3

    with ThreadPoolExecutor() as pool:
        with turn_to_compile("model"):
            waiting = [pool.submit(load) for _ in range(2)]
            eventually(all_have_opened_it)
            assert not entered.wait(2 * LOOK_AGAIN)
        for one in waiting:
            one.result(60)


def test_what_was_compiled_before_is_waited_for_by_nobody() -> None:
    keep_compiled()
    with turn_to_compile("model"):
        pass
    with turn_to_compile("model"), turn_to_compile("model"):
        pass


def test_the_next_worker_compiles_what_one_could_not() -> None:
    keep_compiled()
    with pytest.raises(RuntimeError), turn_to_compile("model"):
        raise RuntimeError("no equilibrium")
    assert not (Path(os.environ[FOLDER]) / "model.lock").read_text()
