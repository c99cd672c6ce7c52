from __future__ import annotations

import json
import time
from functools import partial

import pytest
from ray_fixture import eventually
from world import FOLDER, HELD, World

pytestmark = pytest.mark.timeout(400)
SUMMARY = (
    FOLDER
    + "(folder / 'results').mkdir()\n"
    + "text = json.dumps({'value': 1.5, 'x': os.environ.get('X')})\n"
    + "(folder / 'results' / 'summary.json').write_text(text)\n"
)


def test_a_committed_job_runs_and_is_archived_with_its_summary(world: World) -> None:
    world.start_agent()
    text = "$HOME ${HOME} $(JOB_ID) $$ `id` 'a' \"b\"\n"
    job_id = world.submit("happy", SUMMARY, env={"X": text})
    began = time.monotonic()
    eventually(lambda: world.claims(job_id))
    print(f"commit to launcher: {time.monotonic() - began:.2f} s")
    outcome = eventually(lambda: world.archived(job_id))
    assert outcome["phase"] == "succeeded" and outcome["attempts"] == 1
    assert outcome["summary"] == {"value": 1.5, "x": text}
    assert outcome["started_at"] <= outcome["ended_at"]
    eventually(lambda: job_id not in world.cluster.objects())
    assert [claim["submission"] for claim in world.claims(job_id)] == [f"{job_id}-0"]


def test_a_job_that_had_finished_before_the_state_was_lost_is_not_run_again(world: World) -> None:
    """Git still has it among the active ones, and its run directory is there."""
    job_id = world.submit("done", "raise RuntimeError('a second time')")
    first = world.run_dir(job_id) / "attempts" / "0"
    first.mkdir(parents=True)
    (first / "claim.json").write_text('{"submission": "of another time"}')
    (first / "exit.json").write_text('{"code": 0, "cause": "exit code 0"}')
    world.start_agent()
    assert eventually(lambda: world.archived(job_id))["phase"] == "succeeded"
    assert [claim["submission"] for claim in world.claims(job_id)][1:] == [f"{job_id}-0"]


def test_the_next_job_waits_in_words_until_the_machine_is_free(world: World) -> None:
    world.start_agent()
    first = world.submit("first", HELD, workers=2)
    eventually(lambda: world.deployment(first) == "Running")
    second = world.submit("second", "pass")
    third = world.submit("third", "pass", priority="high", cpu=2.0)
    eventually(lambda: world.status(third).get("message") == "waits for 2 CPUs: 0 of 2 free")
    eventually(
        lambda: (
            world.status(second).get("message") == "waits for 1 CPU: 0 of 2 free; 1 job is ahead"
        )
    )
    assert world.deployment(second) == "Suspended"
    assert world.cluster.capacity().free.cpus == 0
    (world.run_dir(first) / "go").touch()
    for job_id in (first, second, third):
        assert eventually(partial(world.archived, job_id))["phase"] == "succeeded"
    assert world.claims(third)[0]["time"] < world.claims(second)[0]["time"]


def test_a_cancelled_job_is_stopped_and_one_that_waits_never_starts(world: World) -> None:
    world.start_agent()
    running = world.submit("running", HELD, workers=2)
    waiting = world.submit("waiting", "pass")
    eventually(lambda: world.claims(running))
    eventually(lambda: world.deployment(waiting) == "Suspended")
    world.cancel(waiting)
    eventually(lambda: waiting not in world.cluster.objects())
    world.cancel(running)
    began = time.monotonic()
    eventually(lambda: running not in world.cluster.objects())
    print(f"cancel to stopped: {time.monotonic() - began:.2f} s")
    end = json.loads((world.run_dir(running) / "attempts" / "0" / "exit.json").read_text())
    assert end["cause"] == "stopped by SIGTERM"
    assert world.cluster.capacity().free.cpus == 2
    assert not world.run_dir(waiting).exists()


def test_a_failed_attempt_is_tried_again_up_to_the_limit(world: World) -> None:
    world.start_agent()
    twice = FOLDER + "sys.exit(0 if os.environ['JOB_ATTEMPT'] == '1' else 'first')"
    mended = world.submit("mended", twice, attempts=3)
    hopeless = world.submit("hopeless", "raise RuntimeError('no luck')", attempts=2)
    outcome = eventually(lambda: world.archived(mended))
    assert (outcome["phase"], outcome["attempts"]) == ("succeeded", 2)
    outcome = eventually(lambda: world.archived(hopeless))
    assert (outcome["phase"], outcome["attempts"]) == ("failed", 2)
    assert outcome["cause"] == "exit code 1: RuntimeError: no luck"


def test_an_attempt_beyond_its_time_limit_is_stopped_and_not_tried_again(world: World) -> None:
    world.start_agent()
    job_id = world.submit("slow", HELD, attempts=3, max_duration="1s")
    outcome = eventually(lambda: world.archived(job_id))
    assert (outcome["phase"], outcome["attempts"]) == ("failed", 1)
    assert outcome["cause"] == "took longer than 1s"


def test_a_manifest_that_cannot_be_read_troubles_nobody_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.start_agent()
    bad = {"broken-20260101-aaaaaa": b"{", "other-20260101-aaaaaa": b"kind: ConfigMap\n"}
    for job_id, content in bad.items():
        world.commit(job_id, content)
    good = world.submit("good", "pass")
    assert eventually(lambda: world.archived(good))["phase"] == "succeeded"
    status = world.status("broken-20260101-aaaaaa")
    assert status["jobDeploymentStatus"] == "ValidationFailed"
    path = "jobs/stellarator-design/000/broken-20260101-aaaaaa.yaml"
    assert status["message"].startswith(f"{path}: cannot be read: ")
    said = [record.message for record in caplog.records if "broken-2026" in record.message]
    assert [text for text in said if "archived" in text] == []


def test_an_image_that_is_not_here_is_the_cause(world: World) -> None:
    world.start_agent()
    job_id = world.submit("imageless", "pass", image=f"registry.invalid/x@sha256:{'0' * 64}")
    outcome = eventually(lambda: world.archived(job_id))
    assert outcome["phase"] == "failed" and "not on this machine" in outcome["cause"]


def test_a_new_agent_takes_over_what_runs(world: World) -> None:
    world.start_agent()
    job_id = world.submit("kept", HELD)
    eventually(lambda: world.deployment(job_id) == "Running")
    uid = world.cluster.objects()[job_id]["metadata"]["uid"]
    world.restart()
    assert world.cluster.objects()[job_id]["metadata"]["uid"] == uid
    (world.run_dir(job_id) / "go").touch()
    assert eventually(lambda: world.archived(job_id))["attempts"] == 1
    assert len(world.claims(job_id)) == 1
