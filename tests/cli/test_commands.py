"""The command line against a real service: data on stdout, words on stderr, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from service_world import ADA, GROUPS, OTHER_TEAM, TEAM, Service

from ml_platform.cli import app
from ml_platform.cli.exit_code import run
from ml_platform.cli.output import duration_text, headline_text
from ml_platform.service.models import Headline


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Cli = Callable[..., Said]
# Tests that a shell runs in the background inherit an ignored SIGINT.
INTERRUPTIBLE = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from ml_platform.cli import main
main()
"""


@pytest.fixture
def environment(shared_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_PLATFORM_SERVER", shared_service.url)
    monkeypatch.setenv("ML_PLATFORM_TOKEN", shared_service.backstage.token_of(ADA, *GROUPS[ADA]))


@pytest.fixture
def cli(environment: None, capfd: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> Said:
        code = run(app, list(arguments))
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Said(code, out, err)

    return call


def test_submit_shows_the_plan_and_prints_only_the_id(cli: Cli):
    said = cli("submit", "tiny:v1", "--preset", "quick", "-p", "count=7", "-p", "text=a b")
    assert said.code == 0
    job_id = said.out.strip()
    assert "plan: tiny:v1" in said.err and "free: it runs on this machine" in said.err
    assert f"/jobs/{job_id}" in said.err
    view = json.loads(cli("get", job_id, "-o", "json").out)
    assert view["spec"]["parameters"]["count"] == 7
    assert view["spec"]["parameters"]["text"] == "a b"


def test_a_dry_run_prints_the_manifest_and_submits_nothing(cli: Cli):
    before = len(json.loads(cli("list", "-o", "json").out))
    said = cli("submit", "tiny:v1", "--dry-run")
    assert said.code == 0 and "kind: RayJob" in said.out
    plan = json.loads(cli("submit", "tiny:v1", "--dry-run", "-o", "json").out)
    assert plan["decision"] == "commit"
    assert len(json.loads(cli("list", "-o", "json").out)) == before


def test_a_table_in_a_pipe_is_never_cut(cli: Cli):
    job_id = cli("submit", "tiny:v1", "--name", "a-name-of-which-nothing").out.strip()
    lines = cli("list").out.splitlines()
    assert lines[0].split()[:3] == ["JOB", "STATE", "WORKLOAD"]
    assert any(line.startswith(job_id + " ") for line in lines)


def test_get_manifest_open_and_cancel(cli: Cli):
    job_id = cli("submit", "tiny:v1").out.strip()
    assert f"name: {job_id}" in cli("get", job_id, "--manifest").out
    assert cli("open", job_id).out.strip().endswith(f"/jobs/{job_id}")
    assert cli("cancel", job_id, "--reason", "enough").out == f"{job_id} cancelled\n"
    shown = cli("get", job_id)
    assert "enough" in shown.out and "Committed" in shown.out
    assert "1 worker\n" in shown.out and "tiny@sha256:5e5e" in shown.out
    assert "1 of 3" not in shown.out  # it was cancelled before it ran


def test_a_job_goes_on_from_one_that_has_ended(cli: Cli):
    ended = cli("submit", "tiny:v1").out.strip()
    assert cli("cancel", ended).code == 0
    job_id = cli("submit", "tiny:v1", "--resume-from", ended).out.strip()
    assert json.loads(cli("get", job_id, "-o", "json").out)["spec"]["resume_from"] == ended
    assert f"goes on from  {ended}" in cli("get", job_id).out


def test_watching_a_job_that_does_not_succeed_ends_with_1(cli: Cli):
    job_id = cli("submit", "tiny:v1", "--idempotency-key", "watched").out.strip()
    cli("cancel", job_id)
    said = cli("submit", "tiny:v1", "--idempotency-key", "watched", "--watch")
    assert said.code == 1
    assert f"error: {job_id} cancelled" in said.err
    assert said.out == f"{job_id}\n"
    said = cli("submit", "tiny:v1", "--idempotency-key", "watched", "--watch", "-o", "json")
    assert said.code == 1 and json.loads(said.out)["state"]["phase"] == "cancelled"
    assert json.loads(cli("open", job_id, "-o", "json").out)["page_url"].endswith(f"/jobs/{job_id}")
    assert job_id in cli("list", "--owner", "ada").out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["submit", "tiny:v1", "-p", "count=many"], 1, "error: parameters.count: 'many' is not"),
        (["submit", "tiny:v9"], 1, "error: version: tiny has no image v9 (it has v1"),
        (["submit", "tiny:v1", "--team", "x"], 1, "error: team: there is no team 'x'"),
        (["get", "none-20260101-aaaaaa"], 1, "error: there is no job"),
        (["get", "../me"], 1, "error: job: '../me' is not the id of a job (`ml-platform list`"),
        (["logs", "none-20260101-aaaaaa", "--attempt", "0"], 2, "'--attempt'"),
        (["logs", ""], 1, "error: job: '' is not the id of a job"),
        (["cancel", "a/b"], 1, "error: job: 'a/b' is not the id of a job"),
        (
            ["submit", "nosuch:v1"],
            1,
            "error: workload: there is no workload nosuch (there are: tiny",
        ),
        (["submit", "ti-ny:v1"], 1, "'_', got 'ti-ny' (did you mean ti_ny?)"),
        (["submit", "tiny:v1", "--workers", "2000"], 1, "workers: must be at most 1024, got 2000"),
        (
            ["submit", "tiny:v1", "--name", "x" * 60],
            1,
            "name: must have at most 31 characters, got",
        ),
        (["submit", "tiny:v1", "--attempts", "99"], 1, "attempts: must be at most 10, got 99"),
        (["submit", "tiny:v1", "--resume-from", "none-20260101-aaaaaa"], 1, "resume_from: "),
        (["submit", "tiny:v1", "--tag", "Bad!"], 1, "tags: use lower-case letters, digits and '-'"),
        (["submit", "tiny:v1", "-p", "flag=True"], 1, "'boolean'; write true or false"),
        (
            ["submit", "tiny:v1", "--pool", "gpu-l4"],
            1,
            "a cluster with NVIDIA L4, 1 GPU per worker;",
        ),
        (["submit", "tiny:v1", "--idempotency-key", ""], 1, "idempotency_key: is empty"),
        (["submit", "tiny:v1", "-p", "count=1", "-p", "count=2"], 2, "count is given twice"),
        (["list", "--owner", "nobody"], 0, "none matches"),
        (["submit", "tiny"], 2, "write it as tiny:v1.0.0"),
        (["submit", "tiny:v1", "-p", "count"], 2, "is not NAME=VALUE"),
        (["list", "--phase", "lost"], 2, "waiting-for-review"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_a_code(
    cli: Cli, arguments: list[str], code: int, sentence: str
):
    said = cli(*arguments)
    assert said.code == code
    assert sentence in " ".join(said.err.replace("│", " ").split())
    assert said.out == ""


def test_whoever_is_in_several_teams_is_told_them_and_the_option(
    cli: Cli, shared_service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ML_PLATFORM_TOKEN", shared_service.local_token)
    said = cli("submit", "tiny:v1")
    assert said.code == 1 and said.out == ""
    assert said.err == (
        "error: team: you are in several teams; name the one that pays "
        "(`--team`, or `team=` in Python: one of edge-plasma, stellarator-design)\n"
    )


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("ML_PLATFORM_SERVER", "nonsense", "ML_PLATFORM_SERVER: must be an address such as"),
        ("ML_PLATFORM_PORT", "many", "error: ML_PLATFORM_PORT: Input should be a valid integer"),
        ("ML_PLATFORM_HOST", "0.0.0.0", "error: ML_PLATFORM_HOST: must be 127.0.0.1"),
        ("ML_PLATFORM_TRUSTED_PLUGINS", "scaffolder", "several values are a JSON list"),
    ],
)
def test_a_wrong_setting_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
):
    monkeypatch.setenv(variable, value)
    said = cli("list")
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err and "docs/reference/settings.md" in said.err


def test_teams_says_which_are_yours(cli: Cli):
    titles, *rows = cli("teams").out.splitlines()
    assert titles.split() == [
        "TEAM",
        "TITLE",
        "YOURS",
        "MONTH",
        "BUDGET",
        "SPENT",
        "RESERVED",
        "LEFT",
    ]
    yours = {row.split()[0]: "yes" in row.split() for row in rows}
    assert yours == {TEAM: True, OTHER_TEAM: False}


def test_without_a_service_the_fix_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ML_PLATFORM_SERVER", "http://127.0.0.1:9")
    said = cli("list")
    assert said.code == 1
    assert said.err == (
        "error: the platform does not answer at http://127.0.0.1:9 "
        "(start it with `ml-platform up`)\n"
    )


def test_status_names_the_service_that_is_used_wherever_it_runs(
    cli: Cli, tmp_path: Path, shared_service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ML_PLATFORM_HOME", str(tmp_path))
    way = f"{shared_service.url}, which ML_PLATFORM_SERVER names"
    said = cli("status", "--output", "json")
    assert said.code == 0
    told = json.loads(said.out)
    assert (told["running"], told["programs"]) == (False, [])
    assert (told["service"]["way"], told["service"]["user"]) == (way, ADA)
    said = cli("status")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith(f"service: {way}\nyou are {ADA}, teams: stellarator-design\n")


def test_status_and_down_without_a_platform(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ML_PLATFORM_HOME", str(tmp_path))
    monkeypatch.setenv("ML_PLATFORM_SERVER", "http://127.0.0.1:9")
    said = cli("status", "--output", "json")
    assert said.code == 1
    assert json.loads(said.out) == {"running": False, "programs": [], "service": None}
    assert said.err == (
        "no service answers: the platform does not answer at http://127.0.0.1:9 "
        "(start it with `ml-platform up`)\n"
    )
    said = cli("down")
    assert (said.code, said.err) == (0, "nothing was running\n")


def test_the_service_is_not_started_where_another_one_listens(
    cli: Cli, tmp_path: Path, shared_service: Service, monkeypatch: pytest.MonkeyPatch
):
    port = shared_service.url.rpartition(":")[2]
    monkeypatch.setenv("ML_PLATFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ML_PLATFORM_PORT", port)
    said = cli("serve")
    assert said.code == 1
    assert f"error: port {port}, wanted by service, is taken by" in said.err
    assert not (tmp_path / "home").exists()


def test_an_unknown_workload_cannot_be_built(cli: Cli):
    said = cli("build", "no_such_workload", "v1")
    assert said.code == 1 and "error: workload: there is no workload" in said.err


def test_nothing_is_built_for_clusters_that_could_not_run_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ML_PLATFORM_CLUSTERS", '[{"name": "one"}]')
    said = cli("build", "stellar_optimization", "v1")
    assert said.code == 1
    assert said.err.startswith("error: --image: clusters cannot run what is built here")


def test_every_command_has_help_that_starts_with_a_sentence(cli: Cli):
    shown = cli("--help")
    jobs = ("submit", "list", "get", "logs", "cancel", "open")
    for command in (*jobs, "up", "down", "status", "build", "serve"):
        assert f" {command} " in shown.out
        assert cli(command, "--help").code == 0
    assert "demo" not in shown.out
    assert cli("--version").out.startswith("ml-platform 0.")


def test_an_interrupt_ends_with_130_and_no_traceback(environment: None, cli: Cli):
    job_id = cli("submit", "tiny:v1").out.strip()
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "submit", "tiny:v1", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() != job_id
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_durations_and_headlines_read_well():
    assert [duration_text(s) for s in (5, 75, 3700, 90000)] == ["5s", "1m 15s", "1h 1m", "1d 1h"]
    headline = Headline(name="loss", title="Loss", unit="", value=0.123456)
    assert headline_text(headline) == "Loss 0.1235"
    assert headline_text(None) == ""
