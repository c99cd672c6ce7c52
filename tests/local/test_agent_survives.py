from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from ray_fixture import RayHead, eventually
from ray_proxy import ray_proxy
from world import HELD, World

pytestmark = pytest.mark.timeout(400)
CHECKPOINTS = """
import json, os, pathlib, time
from urllib.parse import unquote, urlsplit
folder = pathlib.Path(unquote(urlsplit(os.environ["JOB_DIR"]).path))
own = folder / "checkpoints" / os.environ["JOB_ATTEMPT"]
earlier = sorted(folder.glob("checkpoints/*/state.json"))
step = json.loads(earlier[-1].read_text())["step"] if earlier else 0
own.mkdir(parents=True)
(own / "state.json").write_text(json.dumps({"step": step + 1, "pid": os.getpid()}))
if not earlier:
    time.sleep(600)
(folder / "results").mkdir()
(folder / "results" / "summary.json").write_text(json.dumps({"steps": step + 1}))
"""


@contextmanager
def agent_process(
    world: World, ray_head: RayHead, address: str
) -> Iterator[subprocess.Popen[bytes]]:
    script = Path(__file__).with_name("agent_process.py")
    package = Path(sys.modules["ml_platform.local.agent"].__file__ or "").parents[2]
    process = subprocess.Popen(
        [sys.executable, str(script), str(world.home), address],
        env={**ray_head.environment, "PYTHONPATH": str(package)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def finish(world: World, job_id: str) -> None:
    """Let the job go and see that it ran once."""
    eventually(lambda: world.claims(job_id))
    (world.run_dir(job_id) / "go").touch()
    outcome = eventually(lambda: world.archived(job_id))
    assert (outcome["phase"], outcome["attempts"]) == ("succeeded", 1)
    assert [claim["submission"] for claim in world.claims(job_id)] == [f"{job_id}-0"]


@pytest.mark.parametrize("moment", ["before the submission", "after the submission", "running"])
def test_a_job_runs_once_though_the_service_is_killed(
    world: World, ray_head: RayHead, moment: str
) -> None:
    job_id = world.submit("once", HELD)
    with (
        ray_proxy(ray_head.address) as proxy,
        agent_process(world, ray_head, proxy.address) as process,
    ):
        if moment == "before the submission":
            proxy.before_submit, proxy.forward_submits = process.kill, False
        elif moment == "after the submission":
            proxy.after_submit = process.kill
        else:
            eventually(lambda: world.claims(job_id))
            process.kill()
        process.wait(timeout=100)
    world.restart()
    finish(world, job_id)


def test_an_attempt_that_a_lost_ray_never_began_is_submitted_again(
    world: World, ray_head: RayHead
) -> None:
    job_id = world.submit("unbegun", HELD)
    with (
        ray_proxy(ray_head.address) as proxy,
        agent_process(world, ray_head, proxy.address) as process,
    ):
        proxy.before_submit, proxy.forward_submits = process.kill, False
        process.wait(timeout=100)
    world.reopen()
    (record,) = world.cluster.records()
    assert (record.job_id, record.attempt, record.deployment) == (job_id, 0, "Initializing")
    world.cluster.put(replace(record, session="session_of_a_ray_that_is_gone"))
    world.start_agent()
    finish(world, job_id)


def test_a_submission_that_reaches_ray_after_the_cancel_does_not_run_unseen(
    world: World, ray_head: RayHead
) -> None:
    job_id = world.submit("late", HELD)
    with (
        ray_proxy(ray_head.address) as proxy,
        agent_process(world, ray_head, proxy.address) as process,
    ):
        proxy.before_submit, proxy.forward_submits = process.kill, False
        process.wait(timeout=100)
    world.reopen()
    world.cancel(job_id)
    world.start_agent()
    world.ray.submit(f"{job_id}-0", "sleep 600", {}, {})
    eventually(lambda: job_id not in world.cluster.objects())
    last = world.ray.status(f"{job_id}-0")
    assert last is not None and last.status == "STOPPED"


def test_a_job_goes_on_from_its_checkpoint_after_ray_was_killed(
    world: World, ray_head: RayHead
) -> None:
    world.start_agent()
    job_id = world.submit("resumed", CHECKPOINTS, attempts=2)
    state = world.run_dir(job_id) / "checkpoints" / "0" / "state.json"
    eventually(lambda: state.exists() and state.read_text())
    eventually(lambda: world.deployment(job_id) == "Running")
    first = json.loads(state.read_text())["pid"]
    ray_head.kill()
    eventually(lambda: "does not answer" in str(world.status(job_id).get("message")))
    assert world.deployment(job_id) == "Running"
    eventually(lambda: not psutil.pid_exists(first))
    ray_head.start()
    outcome = eventually(lambda: world.archived(job_id))
    assert (outcome["phase"], outcome["attempts"]) == ("succeeded", 2)
    assert outcome["summary"] == {"steps": 2}
    assert [claim["submission"] for claim in world.claims(job_id)] == [
        f"{job_id}-0",
        f"{job_id}-1",
    ]
