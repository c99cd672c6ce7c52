"""What a job left about itself is taken for what it is worth, and stops nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml_platform import launcher
from ml_platform.job import Phase
from ml_platform.local import run_records
from ml_platform.local.run_records import Claim, claim_of, summary
from ml_platform.state import Outcome


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


STRANGE = {
    "half a character": json.dumps({"file": "\ud83d"}),
    "half a character as a name": json.dumps({"\ud83d": 1}),
    "no number": '{"score": NaN}',
    "deep": json.dumps(_deep(300)),
    "deeper": "[" * 20_000,
    "no object": "[1]",
    "no JSON": "{",
    "large": json.dumps({"text": "x" * 70_000}),
    "nothing": "",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_summary_can_always_be_archived(tmp_path: Path, kind: str) -> None:
    _write(tmp_path / "results" / "summary.json", STRANGE[kind])
    outcome = Outcome(phase=Phase.SUCCEEDED, summary=summary(tmp_path))
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


def test_a_summary_is_the_jobs_own_and_no_link_to_another(tmp_path: Path) -> None:
    _write(tmp_path / "other" / "results" / "summary.json", '{"score": 1}')
    (tmp_path / "job" / "results").mkdir(parents=True)
    (tmp_path / "job" / "results" / "summary.json").symlink_to(
        tmp_path / "other" / "results" / "summary.json"
    )
    assert summary(tmp_path / "other") == {"score": 1}
    assert summary(tmp_path / "job") is None


@pytest.mark.parametrize("end", ["", "[]", '{"code": "0", "cause": ["x"]}', '{"code": null}'])
def test_an_end_that_says_nothing_is_no_end(tmp_path: Path, end: str) -> None:
    _write(tmp_path / "attempts" / "0" / "claim.json", '{"submission": "job-0"}')
    _write(tmp_path / "attempts" / "0" / "exit.json", end)
    assert claim_of(tmp_path, "job-0") == Claim(0, None, None)
    assert claim_of(tmp_path, "job-1") is None


def test_the_newest_claim_of_a_submission_counts(tmp_path: Path) -> None:
    for number in (2, 10):
        _write(tmp_path / "attempts" / str(number) / "claim.json", '{"submission": "job-0"}')
    _write(tmp_path / "attempts" / "10" / "exit.json", '{"code": 1, "cause": "exit code 1: no"}')
    assert claim_of(tmp_path, "job-0") == Claim(10, 1, "exit code 1: no")


def test_a_job_is_done_when_its_launcher_says_so() -> None:
    assert run_records.DONE == launcher.DONE
    assert Claim(0, 0, launcher.describe(0, b"")).done
    assert not Claim(0, 0, "stopped by SIGTERM").done
    assert not Claim(0, 1, launcher.describe(1, b"")).done
