"""What an attempt writes and which checkpoint its successor takes."""

import json
from pathlib import Path

import pytest
from stellar_optimization.run.run_directory import RunDirectory


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_it_needs_no_more_than_an_object_store_has(tmp_path: Path, protocol: str) -> None:
    uri = f"{protocol}://{tmp_path}/run"
    first = RunDirectory(uri, 0)
    first.write_metrics({"step": 1})
    for number in range(5):
        first.write_checkpoint(number, {"number": number})
    first.write_result("summary.json", b"{}")
    second = RunDirectory(uri, 1)
    assert second.newest_checkpoint() == {"number": 4}
    second.write_checkpoint(5, {"number": 5})
    assert RunDirectory(uri, 2).newest_checkpoint() == {"number": 5}
    assert second.names("results") == ["summary.json"]


def _directory(path: Path, attempt: int = 0) -> RunDirectory:
    return RunDirectory(path.as_uri(), attempt)


def test_metrics_are_numbered_chunks_of_one_row(tmp_path: Path) -> None:
    files = _directory(tmp_path)
    files.write_metrics({"step": 1, "time": 1.0, "elongation": 1.5})
    files.write_metrics({"step": 2, "time": 2.0, "elongation": 1.4})

    chunks = sorted((tmp_path / "metrics").iterdir())
    assert [chunk.name for chunk in chunks] == ["0-000000.jsonl", "0-000001.jsonl"]
    assert json.loads(chunks[1].read_text()) == {"step": 2, "time": 2.0, "elongation": 1.4}


def test_a_restarted_attempt_never_overwrites_its_own_chunks(tmp_path: Path) -> None:
    _directory(tmp_path).write_metrics({"step": 1})
    _directory(tmp_path).write_metrics({"step": 2})

    assert len(list((tmp_path / "metrics").iterdir())) == 2


def test_a_value_that_json_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        _directory(tmp_path).write_metrics({"step": 1, "elongation": float("nan")})


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    assert _directory(tmp_path).newest_checkpoint() is None


def test_the_newest_checkpoint_of_the_latest_attempt_is_taken(tmp_path: Path) -> None:
    _directory(tmp_path, 0).write_checkpoint(1, {"from": "0-1"})
    _directory(tmp_path, 1).write_checkpoint(2, {"from": "1-2"})
    _directory(tmp_path, 1).write_checkpoint(10, {"from": "1-10"})
    _directory(tmp_path, 0).write_checkpoint(99, {"from": "superseded"})

    assert _directory(tmp_path, 2).newest_checkpoint() == {"from": "1-10"}


def test_an_attempt_without_checkpoints_is_passed_over(tmp_path: Path) -> None:
    _directory(tmp_path, 0).write_checkpoint(3, {"from": "0-3"})
    (tmp_path / "checkpoints" / "1").mkdir()

    assert _directory(tmp_path, 2).newest_checkpoint() == {"from": "0-3"}


def test_checkpoints_of_later_attempts_are_not_taken(tmp_path: Path) -> None:
    _directory(tmp_path, 3).write_checkpoint(7, {"from": "3-7"})

    assert _directory(tmp_path, 2).newest_checkpoint() is None


def test_a_checkpoint_cut_off_while_written_is_never_taken(tmp_path: Path) -> None:
    files = _directory(tmp_path)
    files.write_checkpoint(1, {"from": "0-1"})
    (tmp_path / "checkpoints" / "0" / ".000002.json.partial").write_text('{"from": "0-')

    assert files.newest_checkpoint() == {"from": "0-1"}


def test_a_finished_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    _directory(tmp_path).write_result("summary.json", b"{}")

    assert [path.name for path in (tmp_path / "results").iterdir()] == ["summary.json"]


def test_the_claim_of_a_later_attempt_supersedes_this_one(tmp_path: Path) -> None:
    files = _directory(tmp_path, 1)
    for number in (0, 1):
        (tmp_path / "attempts" / str(number)).mkdir(parents=True)
        (tmp_path / "attempts" / str(number) / "claim.json").write_text("{}")
    assert not files.superseded()

    (tmp_path / "attempts" / "2").mkdir()
    assert not files.superseded()
    (tmp_path / "attempts" / "2" / "claim.json").write_text("{}")
    assert files.superseded()
