"""workload.yaml of `tokamak_profiles` and what its job is asked, without JAX."""

import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "workloads" / "tokamak_profiles"
sys.path.insert(0, str(FOLDER))

from tokamak_profiles.job.attempt import Attempt  # noqa: E402  # found by the line above
from tokamak_profiles.job.parameters import Parameters, domain  # noqa: E402
from tokamak_profiles.job.run_directory import RunDirectory  # noqa: E402

DEFINITION = yaml.safe_load((FOLDER / "workload.yaml").read_text())
SCHEMA = DEFINITION["parameters"]


def test_every_parameter_is_explained_and_bounded() -> None:
    for name, entry in SCHEMA["properties"].items():
        assert {"title", "description", "default", "minimum", "maximum"} <= entry.keys(), name
        assert entry["minimum"] <= entry["default"] <= entry["maximum"], name


def test_schema_and_code_have_the_same_parameters_in_the_same_order() -> None:
    assert tuple(SCHEMA["properties"]) == Parameters._fields
    assert domain()[0] == (20, 73)


@pytest.mark.parametrize("name", DEFINITION["presets"])
def test_presets_fit_the_schema(name: str) -> None:
    jsonschema.validate(DEFINITION["presets"][name]["parameters"], SCHEMA)


def test_a_job_without_a_preset_does_what_quick_does() -> None:
    defaults = {name: entry["default"] for name, entry in SCHEMA["properties"].items()}
    assert defaults == {**defaults, **DEFINITION["presets"]["quick"]["parameters"]}


def test_the_owner_and_the_system_are_in_the_catalog() -> None:
    catalog = FOLDER.parents[1] / "backstage" / "catalog"
    systems = list(yaml.safe_load_all((catalog / "systems.yaml").read_text()))
    people = list(yaml.safe_load_all((catalog / "org.yaml").read_text()))
    (system,) = [s for s in systems if s["metadata"]["name"] == DEFINITION["system"]]
    assert system["spec"]["owner"] == DEFINITION["owner"]
    assert DEFINITION["owner"] in {f"group:default/{p['metadata']['name']}" for p in people}


def test_the_lock_holds_hashes_and_no_hosts_or_paths() -> None:
    text = (FOLDER / DEFINITION["environments"]["main"]["requirements"]).read_text()
    assert "--hash=sha256:" in text
    for forbidden in ("://", "--find-links", "--index", "file:"):
        assert forbidden not in text


def test_a_job_is_read_from_its_environment() -> None:
    attempt = Attempt.from_environment(
        {
            "JOB_ID": "j1",
            "JOB_ATTEMPT": "2",
            "JOB_DIR": "file:///runs/j1",
            "JOB_WORKERS": "3",
            "JOB_PARAMETERS": '{"rows": 100}',
        }
    )
    assert (attempt.job_id, attempt.number, attempt.directory) == ("j1", 2, "file:///runs/j1")
    assert (attempt.workers, attempt.parameters.rows) == (3, 100)
    assert attempt.parameters.scenario == (50, 0.4, 0.2, 15, 0.9, 1.2, 4.5, 1.7)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("JOB_PARAMETERS", '{"members": 1}', "parameter members: 1 is less than the minimum of 2"),
        ("JOB_PARAMETERS", '{"rows": "many"}', "parameter rows: 'many' is not of type 'integer'"),
        ("JOB_PARAMETERS", '{"rowz": 1}', "'rowz' was unexpected"),
        ("JOB_WORKERS", "0", "JOB_WORKERS must be a whole number of at least 1, got '0'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Attempt.from_environment({name: text})


def test_metrics_are_numbered_chunks_of_one_row(tmp_path: Path) -> None:
    RunDirectory(tmp_path.as_uri(), 0).write_metrics({"step": 1})
    RunDirectory(tmp_path.as_uri(), 0).write_metrics({"step": 2})
    chunks = sorted((tmp_path / "metrics").iterdir())
    assert [chunk.name for chunk in chunks] == ["0-000000.jsonl", "0-000001.jsonl"]
    assert chunks[1].read_text() == '{"step": 2}\n'


def test_checkpoints_of_later_attempts_and_unfinished_ones_are_not_taken(tmp_path: Path) -> None:
    for attempt in (0, 1, 2):
        RunDirectory(tmp_path.as_uri(), attempt).write_checkpoint("rows-000003.npz", b"")
    (tmp_path / "checkpoints" / "1" / ".rows-000004.npz.partial").write_bytes(b"")
    found = RunDirectory(tmp_path.as_uri(), 1).checkpoints(r"rows-(\d+)\.npz")
    assert list(found.values()) == [(0, 3), (1, 3)]


def test_the_claim_of_a_later_attempt_supersedes_this_one(tmp_path: Path) -> None:
    files = RunDirectory(tmp_path.as_uri(), 1)
    assert not files.superseded()
    (tmp_path / "attempts" / "2").mkdir(parents=True)
    assert not files.superseded()
    (tmp_path / "attempts" / "2" / "claim.json").write_text("{}")
    assert files.superseded()
