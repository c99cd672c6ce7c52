"""The entrypoint: `python -m stellar_optimization`, as a Ray job or on a Ray of its own."""

import os
import signal
import sys
from typing import Any

import ray

from stellar_optimization.learn.dataset import NoData
from stellar_optimization.run.optimisation import first_state, optimise
from stellar_optimization.run.parameters import Job
from stellar_optimization.run.run_directory import RunDirectory
from stellar_optimization.search.campaign import Superseded, Terminated
from stellar_optimization.search.state import State

EXIT_SUPERSEDED = 75
EXIT_TERMINATED = 143
EXIT_NO_DATA = 1
RAY_STARTS = 3  # its node ends when its agent needs more than 15 seconds, as on a busy machine
EXIT_WRONG_INPUT = 2


def main() -> int:
    signal.signal(signal.SIGTERM, _end_at_once)
    try:
        job = Job.from_environment()
    except ValueError as error:
        print(error, flush=True)
        return EXIT_WRONG_INPUT
    files = RunDirectory(job.directory, job.attempt)
    try:
        return TASKS[job.parameters.task](job, files, files.newest_checkpoint())
    except NoData as error:
        print(f"nothing to learn from: {error}", flush=True)
        return EXIT_NO_DATA
    except Superseded:
        print("a later attempt has claimed this job; ending", flush=True)
        return EXIT_SUPERSEDED
    except Terminated as end:
        activity, step = end.args
        print(f"ended by SIGTERM while {activity}; step {step} is saved", flush=True)
        return EXIT_TERMINATED


def _optimise(job: Job, files: RunDirectory, saved: dict[str, Any] | None) -> int:
    if saved:
        state = State.from_json(saved)
    else:
        try:
            state = first_state(job)
        except ValueError as error:  # a start that is not there
            print(error, flush=True)
            return EXIT_WRONG_INPUT
    workers = "1 worker" if job.workers == 1 else f"{job.workers} workers"
    print(f"job {job.job_id}, attempt {job.attempt}, {workers}; {job.parameters.describe()}")
    if saved:
        print(f"resumed at step {state.step}, {state.seconds:.0f} s of work done", flush=True)
    _connect(job.workers)
    summary = optimise(job, files, state)
    if reason := summary.get("no_official_score"):
        print(f"done: no official score: {reason}", flush=True)
    else:
        print(f"done: official score {summary['official_score']:.6f}", flush=True)
    return 0


def _train(job: Job, files: RunDirectory, saved: dict[str, Any] | None) -> int:
    # Here, since a search needs none of it: JAX and Ray Train take seconds to import.
    from stellar_optimization.learn.training_job import TrainingJob

    print(
        f"job {job.job_id}, attempt {job.attempt}: training on rows from {job.parameters.rows_from}"
    )
    training = TrainingJob(job, files, saved)
    _connect(job.workers)
    summary = training.run()
    print(
        f"done: surrogate of {summary['lineages']} lineages, rows {summary['rows_digest']}",
        flush=True,
    )
    return 0


def _loop(job: Job, files: RunDirectory, saved: dict[str, Any] | None) -> int:
    from stellar_optimization.learn.loop import Loop

    print(f"job {job.job_id}, attempt {job.attempt}: {job.parameters.describe()}", flush=True)
    _connect(job.workers)
    summary = Loop(job, files, saved).run()
    print(f"done: {summary['verdict']}", flush=True)
    return 0


TASKS = {"optimise": _optimise, "train": _train, "loop": _loop}


def _end_at_once(*_: object) -> None:
    print("ended by SIGTERM before the search began", flush=True)
    sys.exit(EXIT_TERMINATED)


def _connect(workers: int) -> None:
    """Join the Ray named by RAY_ADDRESS; without it start one that ends with this process."""
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
        return
    for left in reversed(range(RAY_STARTS)):
        try:
            ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
        except Exception as error:  # Ray has no class for it
            if not left:
                raise
            print(f"Ray did not start and is started again: {error}", flush=True)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
