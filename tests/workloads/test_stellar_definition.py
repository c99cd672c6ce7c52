"""workload.yaml, the stored designs and the code say the same."""

import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest
import yaml
from stellar_optimization.problems.catalog import PROBLEMS, problem_of
from stellar_optimization.problems.design import DESIGNS, design_names, load_design
from stellar_optimization.problems.geometrical import GEOMETRICAL as problem
from stellar_optimization.problems.quasi_isodynamic import hypervolume
from stellar_optimization.run.parameters import Job, Parameters
from stellar_optimization.run.rate import Rate
from stellar_optimization.search.start import (
    ELLIPSE,
    JOB,
    NEAR_AXIS,
    USUAL,
    rotating_ellipse,
    start_of,
)
from stellar_python import SCORE_PYTHON, needs_score_python

DEFINITION = yaml.safe_load((DESIGNS.parent / "workload.yaml").read_text())
SCHEMA = DEFINITION["parameters"]


def test_defaults_of_the_schema_are_those_of_the_code() -> None:
    defaults = {name: entry["default"] for name, entry in SCHEMA["properties"].items()}
    assert defaults == asdict(Parameters())


def test_every_parameter_is_explained_and_bounded() -> None:
    for name, entry in SCHEMA["properties"].items():
        assert {"title", "description", "default"} <= entry.keys(), name
        bounds = [{"enum"}, {"minimum", "maximum"}, {"pattern", "maxLength"}]
        assert any(bound <= entry.keys() for bound in bounds), name


def test_starts_on_offer_are_the_stored_designs_and_the_ellipse() -> None:
    assert SCHEMA["properties"]["start"]["enum"] == [
        *design_names(),
        ELLIPSE,
        NEAR_AXIS,
        JOB,
        USUAL,
    ]


def test_a_job_without_a_preset_does_what_quick_does() -> None:
    assert Parameters(**DEFINITION["presets"]["quick"]["parameters"]) == Parameters()


def test_the_log_names_parameters_in_words() -> None:
    described = Parameters().describe()
    assert described.startswith(
        "task optimise, problem geometrical, start coarse, modes 3, spectral weight 0.4, seed 0"
    )


@pytest.mark.parametrize("name", DEFINITION["presets"])
def test_presets_fit_the_schema(name: str) -> None:
    jsonschema.validate(DEFINITION["presets"][name]["parameters"], SCHEMA)


def _reference(metric: str, name: str) -> float | None:
    """What the chart of a metric draws for a job of this problem."""
    given = DEFINITION["metrics"][metric].get("reference", [])
    for reference in [given] if isinstance(given, dict) else given:
        if reference.get("when", {"problem": name}) == {"problem": name}:
            return float(reference["value"])
    return None


@pytest.mark.parametrize("name", PROBLEMS)
def test_charts_compare_a_job_with_the_published_score_and_the_bounds_of_its_problem(
    name: str,
) -> None:
    stated = PROBLEMS[name]
    assert _reference(DEFINITION["headline"], name) == stated.published
    bounds = {bound.quantity: bound.limit for bound in stated.bounds}
    drawn = {metric: _reference(metric, name) for metric in DEFINITION["metrics"]}
    others = {"official_score", "violation", "proposed_wins"}
    assert bounds == {
        metric: value
        for metric, value in drawn.items()
        if value is not None and metric not in others
    }


def test_locks_hold_hashes_and_no_hosts_or_paths() -> None:
    for environment in DEFINITION["environments"].values():
        text = (DESIGNS.parent / environment["requirements"]).read_text()
        assert "--hash=sha256:" in text
        for forbidden in ("://", "--find-links", "--index", "file:"):
            assert forbidden not in text


@pytest.mark.parametrize("name", design_names())
def test_a_stored_design_has_the_leaderboard_format_and_an_origin(name: str) -> None:
    design = load_design(name)
    r_cos, z_sin = design.boundary.r_cos, design.boundary.z_sin
    assert len(r_cos) == len(z_sin)
    assert {len(row) for row in r_cos + z_sin} == {len(r_cos[0])}
    assert len(r_cos[0]) % 2 == 1
    n_max = len(r_cos[0]) // 2
    assert not any(r_cos[0][:n_max]) and not any(z_sin[0][: n_max + 1])
    assert design.origin
    assert {score["fidelity"] for score in design.scores} == {"low", "high"}
    assert all(score["evaluator"] for score in design.scores)


def test_an_unknown_design_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="there are: coarse"):
        load_design("nonesuch")


def test_a_job_is_read_from_its_environment() -> None:
    job = Job.from_environment(
        {
            "JOB_ID": "j1",
            "JOB_ATTEMPT": "2",
            "JOB_DIR": "file:///runs/j1",
            "JOB_WORKERS": "3",
            "JOB_ENVIRONMENTS": "/environments",
            "JOB_PARAMETERS": '{"modes": 4}',
        }
    )
    assert (job.job_id, job.attempt, job.directory, job.workers) == ("j1", 2, "file:///runs/j1", 3)
    assert job.score_python == Path("/environments/score/bin/python")
    assert job.parameters == Parameters(modes=4)


def test_a_rate_is_that_of_the_last_minute() -> None:
    rate = Rate(0.0, 0)
    assert rate.now(0.0, 0) == 0.0
    assert rate.now(10.0, 50) == 5.0
    assert rate.now(60.0, 50) == pytest.approx(50 / 60)
    assert rate.now(70.0, 110) == pytest.approx(60 / 60)  # since the tenth second


def test_an_unknown_parameter_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="mods"):
        Parameters.from_json('{"mods": 3}')


def test_problem_one_is_scored_as_published() -> None:
    assert problem.score(1.0) == 1.0
    assert problem.score(1.27) == pytest.approx(0.97)
    assert problem.score(12.0) == 0.0
    assert problem.violation([4.0, -0.5, 0.3]) == 0.0
    assert problem.violation([4.04, -0.6, 0.4]) == pytest.approx(0.01)
    assert problem.violation([3.0, -0.6, 0.27]) == pytest.approx(0.1)


def test_a_start_without_an_official_score_says_why() -> None:
    design = load_design("coarse")
    assert design.verdict("high") == "none: VMEC++ did not converge"
    assert design.verdict("low") == design.score("low")


def test_the_ellipse_has_the_area_and_elongation_asked_for() -> None:
    boundary = rotating_ellipse(4, aspect=5.0, elongation=2.25)
    mean, turning = boundary.z_sin[1][2], boundary.z_sin[1][3]
    long, short = mean + turning, mean - turning
    assert long / short == pytest.approx(2.25)
    assert long * short == pytest.approx(1 / 5.0**2)
    assert boundary.n_field_periods == 4


def test_the_full_preset_starts_from_a_rotating_ellipse() -> None:
    start = start_of(Parameters(**DEFINITION["presets"]["full"]["parameters"]))
    assert start.origin.startswith("rotating ellipse of 3 field periods, aspect ratio 4")
    assert start.verdict("high") == "not evaluated"


def test_the_stored_result_of_the_full_preset_is_above_the_published_score() -> None:
    assert (load_design("full").score("high") or 0.0) > 0.978 > problem.published


def test_the_stored_designs_of_the_second_problem_are_feasible_by_the_evaluator() -> None:
    four, five = load_design("simple_to_build"), load_design("simple_to_build_5")
    assert (four.score("high", "simple_to_build") or 0.0) > 0.40
    published = problem_of("simple_to_build").published
    assert (five.score("high", "simple_to_build") or 0.0) > 0.44 > published
    for design in (four, five):
        assert design.verdict("high") == "not evaluated"  # for the first problem


@pytest.mark.parametrize(
    ("names", "volume"),
    [
        (["mhd_stable_set_8", "mhd_stable_set_12", "mhd_stable_set_13"], 114.8),
        ([name for name in design_names() if name.startswith("mhd_stable")], 130.41),
    ],
)
def test_the_stored_designs_of_the_third_problem_are_feasible_and_score_as_a_set(
    names: list[str], volume: float
) -> None:
    found = [load_design(name).scores for name in names]
    high = [next(s for s in scores if s["fidelity"] == "high") for scores in found]
    assert all(score["feasible"] for score in high)
    front = [(score["gradient_length"], score["aspect_ratio"]) for score in high]
    assert hypervolume(front) == pytest.approx(volume, abs=0.05)
    assert [hypervolume([one]) for one in front] == pytest.approx([s["score"] for s in high])


@needs_score_python
def test_the_evaluator_gives_a_set_the_same_score() -> None:
    names = [name for name in design_names() if name.startswith("mhd_stable")]
    scores = [score for name in names for score in load_design(name).scores]
    front = [(s["gradient_length"], s["aspect_ratio"]) for s in scores if s["fidelity"] == "high"]
    program = """
import json, sys
import numpy as np
from constellaration import problems
front = np.array(json.loads(sys.argv[1])) * [-1, 1]
print(problems._hypervolume(X=front, reference_point=np.array([1.0, 20.0])))
"""
    said = subprocess.run(
        [SCORE_PYTHON, "-c", program, json.dumps(front)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert hypervolume(front) == pytest.approx(float(said.stdout.split()[-1]))


def test_the_design_of_another_job_is_a_start(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    boundary = load_design("coarse").boundary
    (tmp_path / "results" / "design.json").write_text(json.dumps(boundary.to_json()))

    start = start_of(Parameters(start=JOB), {"JOB_RESUME_FROM": tmp_path.as_uri()})

    assert start.boundary == boundary
    assert tmp_path.name in start.origin


def test_a_start_from_another_job_needs_one_to_be_named() -> None:
    with pytest.raises(ValueError, match="no job to resume from was named"):
        start_of(Parameters(start=JOB), {})


def test_a_start_from_another_job_needs_its_design(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="surrogate-1 left no design: resume from one of optimise"):
        start_of(Parameters(start=JOB), {"JOB_RESUME_FROM": (tmp_path / "surrogate-1").as_uri()})


def test_a_problem_has_a_usual_start() -> None:
    assert start_of(Parameters(start=USUAL)).name == "coarse"
