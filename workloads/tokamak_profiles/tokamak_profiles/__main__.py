"""The entrypoint: `python -m tokamak_profiles`, as a Ray job or on a Ray of its own."""

import os
import signal
import sys

import ray

from tokamak_profiles.job.attempt import Attempt
from tokamak_profiles.job.driver import Driver, Superseded, Terminated
from tokamak_profiles.job.run_directory import RunDirectory
from tokamak_profiles.results.report import write_results

EXIT_WRONG_INPUT = 2
EXIT_SUPERSEDED = 75
EXIT_TERMINATED = 143
RAY_STARTS = 3  # its node ends when its agent needs more than 15 seconds, as on a busy machine
# One thread each: the workers are as many as there are cores, and sums are always made in one order.
WORKER_VARIABLES = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


def main() -> int:
    signal.signal(signal.SIGTERM, _end_at_once)
    try:
        attempt = Attempt.from_environment()
    except ValueError as error:
        print(error, flush=True)
        return EXIT_WRONG_INPUT
    workers = "1 worker" if attempt.workers == 1 else f"{attempt.workers} workers"
    print(f"job {attempt.job_id}, attempt {attempt.number}, {workers}", flush=True)
    print(attempt.parameters.describe(), flush=True)
    files = RunDirectory(attempt.directory, attempt.number)
    _connect(attempt.workers)
    try:
        rows, record, evaluation = Driver(attempt, files).run()
        summary = write_results(files, attempt.parameters, rows, record, evaluation)
    except Superseded:
        print("a later attempt has claimed this job; ending", flush=True)
        return EXIT_SUPERSEDED
    except Terminated as activity:
        print(f"ended by SIGTERM while {activity}; what was done is saved", flush=True)
        return EXIT_TERMINATED
    print(f"done: {summary['temperature_error']} % off on held-out points", flush=True)
    return 0


def _end_at_once(*_: object) -> None:
    print("ended by SIGTERM before anything was solved", flush=True)
    sys.exit(EXIT_TERMINATED)


def _connect(workers: int) -> None:
    """Join the Ray named by RAY_ADDRESS; without it start one that ends with this process."""
    variables = {"env_vars": WORKER_VARIABLES}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, runtime_env=variables)
        return
    own = {"num_cpus": workers, "include_dashboard": False, "log_to_driver": False}
    for left in reversed(range(RAY_STARTS)):
        try:
            ray.init("local", runtime_env=variables, **own)
        except Exception as error:  # Ray has no class for it
            if not left:
                raise
            print(f"Ray did not start and is started again: {error}", flush=True)
        else:
            return


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # A training that was told to end is not waited for: its thread is inside Ray.
    ray.shutdown()
    os._exit(code)
