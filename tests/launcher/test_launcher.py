from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray_fixture import eventually

from ml_platform.launcher import claim, done_by, open_folder, record_exit

Start = Callable[..., "subprocess.Popen[str]"]
FOREVER = "import time, os; print('ready', os.getpid(), flush=True); time.sleep(600)"


@pytest.fixture
def start(image: Path, run_dir: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def launch(*argv: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(image / "bin" / "launcher"), "--", *argv],
            env={**os.environ, "JOB_DIR": run_dir.as_uri(), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        process.kill()
        process.communicate()


def record(run_dir: Path, number: int, name: str) -> dict[str, Any]:
    file = run_dir / "attempts" / str(number) / name
    return dict(json.loads(file.read_text())) if file.exists() else {}


def child_of(process: subprocess.Popen[str]) -> psutil.Process:
    assert process.stdout is not None
    words = process.stdout.readline().split()
    assert words[0] == "ready", words
    return psutil.Process(int(words[1]))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_it_runs_the_command_in_the_image_and_keeps_log_and_exit(
    start: Start, image: Path, run_dir: Path
) -> None:
    code = (
        "import json, os, sys; print(json.dumps([os.getcwd(), sys.executable, "
        "os.environ['JOB_ATTEMPT'], os.environ['JOB_ENVIRONMENTS'], sys.argv[1]]))"
    )
    process = start("python", "-c", code, "$HOME `id`; 'x'")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    python = str(image / "environments" / "main" / "bin" / "python")
    environments = str(image / "environments")
    assert json.loads(out) == [str(image / "code"), python, "0", environments, "$HOME `id`; 'x'"]
    assert (run_dir / "logs" / "0.log").read_text() == out
    end = record(run_dir, 0, "exit.json")
    assert (end["code"], end["signal"], end["cause"]) == (0, None, "exit code 0")
    claim = record(run_dir, 0, "claim.json")
    assert claim["number"] == 0 and claim["pid"] == process.pid and claim["submission"] is None


def test_the_cause_of_a_failure_is_the_last_error_of_its_traceback(
    start: Start, run_dir: Path
) -> None:
    process = start("python", "-c", "print('going'); raise ValueError('no such boundary')")
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert record(run_dir, 0, "exit.json")["cause"] == "exit code 1: ValueError: no such boundary"


def test_a_command_killed_from_outside_ends_with_the_signal_in_words(
    start: Start, run_dir: Path
) -> None:
    process = start("python", "-c", FOREVER)
    child_of(process).kill()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL
    end = record(run_dir, 0, "exit.json")
    assert (end["code"], end["signal"]) == (None, 9)
    assert end["cause"] == "killed by signal 9 (out of memory?)"


def test_sigterm_reaches_the_command_and_counts_as_stopped_even_if_it_exits_0(
    start: Start, run_dir: Path
) -> None:
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n"
        "print('ready', os.getpid(), flush=True)\n"
        "time.sleep(600)"
    )
    process = start("python", "-c", code)
    child_of(process)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert "saved" in out and process.returncode == 128 + signal.SIGTERM
    assert record(run_dir, 0, "exit.json")["cause"] == "stopped by SIGTERM"


def test_sigterm_to_the_whole_process_tree_counts_as_stopped(start: Start, run_dir: Path) -> None:
    process = start("python", "-c", FOREVER)
    child = child_of(process)
    child.terminate()  # as Ray does it: to each process, in no order that could be relied on
    process.terminate()
    process.communicate(timeout=30)
    assert record(run_dir, 0, "exit.json")["cause"] == "stopped by SIGTERM"


@pytest.mark.skipif(sys.platform != "linux", reason="for pods: it reads Linux's /proc")
def test_stop_ends_the_attempts_of_its_own_run_directory_and_waits_for_their_records(
    start: Start, image: Path, run_dir: Path
) -> None:
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit(0)))\n"
        "print('ready', os.getpid(), flush=True)\n"
        "time.sleep(600)"
    )
    process = start("python", "-c", code)
    other = start("python", "-c", FOREVER, JOB_DIR=run_dir.with_name("other").as_uri())
    child_of(process)
    child = child_of(other)
    stop = [str(image / "bin" / "launcher"), "--stop"]
    environment = {**os.environ, "JOB_DIR": run_dir.as_uri()}
    # Nobody waits for the ended launcher in between: one that is a zombie does not hold it up.
    subprocess.run(stop, env=environment, check=True, timeout=30)
    assert record(run_dir, 0, "exit.json")["cause"] == "stopped by SIGTERM"
    assert child.is_running() and other.poll() is None
    subprocess.run(stop, env=environment, check=True, timeout=30)  # there is nothing left to stop


def test_a_command_that_ignores_sigterm_is_killed_with_all_it_started(
    start: Start, run_dir: Path
) -> None:
    code = (
        "import signal, subprocess, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = subprocess.Popen(['sleep', '600'])\n"
        "print('ready', other.pid, flush=True)\n"
        "time.sleep(600)"
    )
    process = start("python", "-c", code, JOB_GRACE_SECONDS="0.3")
    grandchild = child_of(process)
    process.terminate()
    process.communicate(timeout=30)
    assert record(run_dir, 0, "exit.json")["signal"] == 9
    eventually(lambda: gone(grandchild))


def test_kill_9_of_the_launcher_ends_the_command_and_all_it_started(start: Start) -> None:
    code = (
        "import subprocess, time\n"
        "print('ready', subprocess.Popen(['sleep', '600']).pid, flush=True)\n"
        "time.sleep(600)"
    )
    process = start("python", "-c", code)
    grandchild = child_of(process)
    command = grandchild.parent()
    assert command is not None
    process.kill()
    eventually(lambda: gone(grandchild) and gone(command))


def test_the_command_ends_when_the_launchers_parent_is_gone(image: Path, run_dir: Path) -> None:
    launcher = str(image / "bin" / "launcher")
    parent = subprocess.Popen(
        ["/bin/sh", "-c", '"$0" -- python -c "$1" & wait', launcher, FOREVER],
        env={**os.environ, "JOB_DIR": run_dir.as_uri()},
        stdout=subprocess.PIPE,
        text=True,
    )
    child = child_of(parent)
    parent.kill()
    parent.communicate(timeout=30)
    eventually(lambda: gone(child))
    cause = eventually(lambda: record(run_dir, 0, "exit.json").get("cause"))
    assert str(cause).startswith("Ray was lost")


def test_of_two_launchers_started_at_once_only_the_later_attempt_survives(
    start: Start, run_dir: Path
) -> None:
    # Each ends by itself only after the other has had time to notice.
    code = (
        "import os, pathlib, time\n"
        "later = pathlib.Path(os.environ['DIR']) / 'attempts' / '0' / 'exit.json'\n"
        "while not later.exists(): time.sleep(0.05)"
    )
    both = [start("python", "-c", code, DIR=str(run_dir)) for _ in range(2)]
    for process in both:
        process.communicate(timeout=30)
    assert sorted(process.returncode for process in both) == [0, 75]
    assert record(run_dir, 0, "exit.json")["cause"] == "superseded by attempt 2"
    assert record(run_dir, 1, "exit.json")["cause"] == "exit code 0"


def test_an_old_attempt_never_touches_the_records_of_its_successor(
    start: Start, run_dir: Path
) -> None:
    old = start("python", "-c", FOREVER)
    child_of(old)
    new = start("python", "-c", FOREVER)
    child_of(new)
    old.communicate(timeout=30)
    assert old.returncode == 75 and new.poll() is None
    assert record(run_dir, 1, "exit.json") == {}
    assert record(run_dir, 1, "claim.json")["pid"] == new.pid
    assert "superseded" not in (run_dir / "logs" / "1.log").read_text()


def test_eight_launchers_at_once_claim_eight_numbers(start: Start, run_dir: Path) -> None:
    processes = [start("python", "-c", "import time; time.sleep(600)") for _ in range(8)]
    eventually(lambda: len(list(run_dir.glob("attempts/*/claim.json"))) == 8)
    claims = [record(run_dir, number, "claim.json") for number in range(8)]
    assert [claim["number"] for claim in claims] == list(range(8))
    assert {claim["pid"] for claim in claims} == {process.pid for process in processes}


def test_the_submission_that_ray_names_is_in_the_claim(start: Start, run_dir: Path) -> None:
    config = json.dumps({"metadata": {"job_submission_id": "job-0"}})
    start("true", RAY_JOB_CONFIG_JSON_ENV_VAR=config).communicate(timeout=30)
    assert record(run_dir, 0, "claim.json")["submission"] == "job-0"


def test_a_run_directory_that_cannot_be_used_is_named(start: Start) -> None:
    process = start("true", JOB_DIR="file:///proc/nowhere")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 74 and "cannot use JOB_DIR file:///proc/nowhere" in out


def test_a_program_that_is_not_there_is_named(start: Start, run_dir: Path) -> None:
    process = start("no-such-program")
    process.communicate(timeout=30)
    assert process.returncode == 127
    cause = record(run_dir, 0, "exit.json")["cause"]
    assert cause == "cannot start no-such-program: No such file or directory"


def test_a_job_that_an_earlier_attempt_finished_is_not_run_again(
    start: Start, run_dir: Path
) -> None:
    start("python", "-c", "print('first')").communicate(timeout=30)
    for number in (1, 2):  # nor does the one that did nothing hide what was done before it
        again = start("python", "-c", "raise RuntimeError('a second time')")
        out, _ = again.communicate(timeout=30)
        assert again.returncode == 0
        assert out == "launcher: attempt 1 finished this job: there is nothing left to run\n"
        assert (run_dir / "logs" / f"{number}.log").read_text() == out
        end = record(run_dir, number, "exit.json")
        assert (end["code"], end["signal"], end["cause"]) == (0, None, "exit code 0")
    assert (run_dir / "logs" / "0.log").read_text() == "first\n"


# It saves its state and ends with 0 when it is told to, and the launcher hears of that a moment later.
SAVES_AND_ENDS = (
    "import os, subprocess, sys\n"
    "later = f'while kill -0 {os.getpid()} 2>/dev/null; do sleep 0.01; done; kill -TERM {os.getppid()}'\n"
    "subprocess.Popen(['sh', '-c', later], start_new_session=True)\n"
    "sys.exit(0)"
)


@pytest.mark.parametrize(
    ("code", "cause"),
    [("raise SystemExit(1)", "exit code 1"), (SAVES_AND_ENDS, "stopped by SIGTERM")],
    ids=["failed", "stopped"],
)
def test_a_job_that_no_attempt_has_finished_is_run_again(
    start: Start, run_dir: Path, code: str, cause: str
) -> None:
    start("python", "-c", code).communicate(timeout=30)
    assert record(run_dir, 0, "exit.json")["cause"] == cause
    again = start("python", "-c", "print('goes on')")
    out, _ = again.communicate(timeout=30)
    assert (again.returncode, out) == (0, "goes on\n")


@pytest.mark.parametrize(
    ("code", "ended", "cause"),
    [(0, 75, "superseded by attempt 2"), (1, 1, "exit code 1: out of luck")],
)
def test_an_attempt_that_has_a_successor_has_not_finished_the_job(
    start: Start, run_dir: Path, code: int, ended: int, cause: str
) -> None:
    program = (
        "import os, pathlib\n"
        "later = pathlib.Path(os.environ['DIR']) / 'attempts' / '1'\n"
        "later.mkdir()\n"
        "(later / 'claim.json').write_text('{}')\n"
        "print('out of luck', flush=True)\n"
        f"os._exit({code})"
    )
    process = start("python", "-c", program, DIR=str(run_dir))
    process.communicate(timeout=30)
    assert process.returncode == ended
    assert record(run_dir, 0, "exit.json")["cause"] == cause


def test_a_record_that_cannot_be_read_ends_the_attempt_and_is_named(
    start: Start, run_dir: Path
) -> None:
    (run_dir / "attempts" / "0" / "exit.json").mkdir(parents=True)
    (run_dir / "attempts" / "0" / "claim.json").write_text("{}")
    process = start("python", "-c", "print('ran')")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 74 and "ran" not in out
    assert "cannot read in JOB_DIR" in record(run_dir, 1, "exit.json")["cause"]


@pytest.mark.parametrize("store", ["file", "memory"])
def test_what_finished_a_job_is_found_in_every_kind_of_store(tmp_path: Path, store: str) -> None:
    folder = open_folder(tmp_path.as_uri() if store == "file" else f"memory:/{tmp_path}")
    assert [claim(folder), claim(folder)] == [0, 1]
    assert done_by(folder, 1) is None
    record_exit(folder, 0, None, "stopped by SIGTERM")
    folder.create("attempts/1/exit.json", b"[")
    assert done_by(folder, claim(folder)) is None
    record_exit(folder, 2, 0, "exit code 0")
    assert done_by(folder, 2) is None
    assert done_by(folder, claim(folder)) == 2
