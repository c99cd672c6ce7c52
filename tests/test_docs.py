"""What the documentation tells people to type is taken by a service as `up` starts it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from service_world import TEAM, Service

from ml_platform.cli import app
from ml_platform.cli.exit_code import run
from ml_platform.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
    if "```" in path.read_text("utf-8")
)
# The service of the tests has the image tiny:v1 and runs no job to its end.
HERE = {
    "stellar_optimization:v1.0.0": "tiny:v1",
    "<name>:v1.0.0": "tiny:v1",
    '"stellar_optimization", "v1.0.0"': '"tiny", "v1"',
    "<team>": TEAM,
    "--watch": "--dry-run",
    "job.wait().status": "job.status",
}


def _blocks(language: str) -> list[str]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for there, here in HERE.items():
            text = text.replace(there, here)
        found += re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    return found


SUBMISSIONS = [
    line
    for block in _blocks("sh")
    for line in block.splitlines()
    if line.startswith(".venv/bin/ml-platform submit")
]
PYTHON = _blocks("python")


@pytest.fixture
def owner(shared_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has just run `up`: in every team, by the token file."""
    monkeypatch.setenv("ML_PLATFORM_SERVER", shared_service.url)
    monkeypatch.setenv("ML_PLATFORM_TOKEN", shared_service.local_token)


def test_the_documentation_shows_both_ways_to_submit():
    assert SUBMISSIONS and PYTHON


@pytest.mark.parametrize("line", SUBMISSIONS)
def test_a_submission_in_the_shell_is_taken(owner: None, line: str):
    assert run(app, shlex.split(line)[1:]) == 0


@pytest.mark.parametrize("code", PYTHON)
def test_a_submission_in_python_is_taken(
    owner: None, code: str, capsys: pytest.CaptureFixture[str]
):
    exec(compile(code, "README.md", "exec"), {})
    assert "/jobs/" in capsys.readouterr().out


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name)
def test_a_page_names_only_settings_and_pages_that_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    # Of the tests' own commands, not of the service.
    named = set(re.findall(r"ML_PLATFORM_(?!TEST_)([A-Z_]+)", text))
    assert {name.lower() for name in named} <= {*Settings.model_fields, "url"}
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / link).exists(), link
