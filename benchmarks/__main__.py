"""`make bench` lists the benchmarks; `make bench NAME=submit` runs one."""

from __future__ import annotations

import importlib
import sys

# By hand: to add a benchmark, write its file with a docstring and `run() -> Report`, and name it here.
BENCHMARKS = (
    "submit",
    "bridge",
    "local_start",
    "commit_to_rayjob",
    "scale_kwok",
    "science",
    "convergence",
)


def main(arguments: list[str]) -> int:
    """List, or run the benchmark named; its last line is one JSON object."""
    if not arguments:
        print("benchmarks (make bench NAME=…):\n")
        for name in BENCHMARKS:
            module = importlib.import_module(f"benchmarks.{name}")
            print(f"  {name:<16} {(module.__doc__ or '').splitlines()[0]}")
        return 0
    if arguments[0] not in BENCHMARKS or len(arguments) > 1:
        print(f"there is no benchmark {' '.join(arguments)!r}; there are: {', '.join(BENCHMARKS)}")
        return 2
    module = importlib.import_module(f"benchmarks.{arguments[0]}")
    module.run().show()
    return 0


sys.exit(main(sys.argv[1:]))
