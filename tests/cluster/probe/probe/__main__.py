"""Does `seconds` steps in a Ray task on each worker; the first one records them.

Every step is a checkpoint, so that an attempt goes on where its predecessor was cut off.
"""

import json
import os
import socket
import sys
import time
from typing import Any

import ray

# The example's own file, laid beside this one when the image is made.
from probe.run_directory import RunDirectory

EARLIER_JOB = 10**6
# A first attempt is slow, so that it is still at work on a slow machine when a test interrupts it.
FIRST_STEP_SECONDS, LATER_STEP_SECONDS = 1.0, 0.03


def start_step(run: RunDirectory) -> int:
    """The step after the newest checkpoint, of this job or else of the one it resumes."""
    state = run.newest_checkpoint()
    origin = f"attempt {state['attempt']}" if state else ""
    if state is None and "JOB_RESUME_FROM" in os.environ:
        state = RunDirectory(os.environ["JOB_RESUME_FROM"], EARLIER_JOB).newest_checkpoint()
        origin = os.environ["JOB_RESUME_FROM"]
    if state is None:
        print("probe: starts at step 0", flush=True)
        return 0
    first = int(state["step"]) + 1
    print(f"probe: resumes from step {first} of {origin}", flush=True)
    return first


@ray.remote(max_retries=0)
def work(rank: int, first: int, last: int, uri: str, attempt: int) -> str:
    """Stops when a later attempt has begun."""
    run = RunDirectory(uri, attempt)
    step_seconds = FIRST_STEP_SECONDS if attempt == 0 else LATER_STEP_SECONDS
    for step in range(first, last):
        if run.superseded():
            return "superseded"
        time.sleep(step_seconds)  # stands for the work of a training step
        if rank == 0:
            run.write_checkpoint(step, {"step": step, "attempt": attempt})
            run.write_metrics({"step": step, "time": time.time(), "progress": step + 1})
        print(f"probe: step {step} of attempt {attempt} on {socket.gethostname()}", flush=True)
    return socket.gethostname()


def tasks(workers: int, *arguments: Any) -> list[Any]:
    gpus = ray.cluster_resources().get("GPU", 0) // workers
    placed = work.options(num_cpus=1, num_gpus=gpus, scheduling_strategy="SPREAD")
    return [placed.remote(rank, *arguments) for rank in range(workers)]


def main() -> int:
    parameters = json.loads(os.environ["JOB_PARAMETERS"])
    attempt = int(os.environ["JOB_ATTEMPT"])
    run = RunDirectory(os.environ["JOB_DIR"], attempt)
    first, last = start_step(run), int(parameters["seconds"])
    fails = parameters["fail"] == "always" or (parameters["fail"] == "first" and attempt == 0)
    until = (first + last) // 2 if fails else last
    ray.init()
    hosts = ray.get(tasks(int(os.environ["JOB_WORKERS"]), first, until, run.uri, attempt))
    if "superseded" in hosts:
        print("probe: a later attempt has begun", flush=True)
        return 1
    if fails:
        raise RuntimeError(f"attempt {attempt} was told to fail at step {until}")
    summary = {"progress": last, "attempt": attempt, "resumed_from": first, "workers": hosts}
    run.write_result("summary.json", json.dumps(summary).encode())
    print(f"probe: done after {last} steps", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
