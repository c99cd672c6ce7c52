"""Client of the official evaluator, which needs a Python environment of its own."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

# CPU seconds. A design that low fidelity solves takes 2 to 5, 5 to 10 with the field; slow machines twice.
LOW_LIMIT = 40.0
PACKAGE_FOLDER = Path(__file__).resolve().parents[2]


class OfficialEvaluator:
    """Asks one long-lived `score --serve` process, so that its slow imports are paid once."""

    def __init__(self, python: Path, high_limit: float) -> None:
        self._python = python
        self._limits = {"low": LOW_LIMIT, "high": high_limit}
        self._process: subprocess.Popen[str] | None = None

    def score(
        self, boundary: dict[str, Any], fidelity: str, problem: str = "geometrical"
    ) -> dict[str, Any]:
        """The official result (see score.py); one that takes too long has only an error."""
        process, limit = self._running(), self._limits[fidelity]
        assert process.stdin and process.stdout
        asked = {"boundary": boundary, "fidelity": fidelity, "problem": problem, "limit": limit}
        request = json.dumps(asked)
        try:
            process.stdin.write(request + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:  # it has ended since it was started
            line = ""
        if line:
            result: dict[str, Any] = json.loads(line)
            return result
        late = process.wait() == -signal.SIGXCPU
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        self._process = None
        reason = f"no result after {limit:g} s of CPU time" if late else "evaluator crashed"
        return {
            "fidelity": fidelity,
            "score": None,
            "feasible": False,
            "error": reason,
            "cpu_seconds": limit if late else 0.0,
        }

    def prepare(self) -> None:
        """Begin what takes seconds before the first score; does not wait for it."""
        self._running()

    def close(self) -> None:
        """End its process; the next question starts another."""
        if self._process is not None:
            self._process.communicate()  # it ends at the end of its input
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            if not self._python.exists():
                raise FileNotFoundError(
                    f"no Python at {self._python}; install requirements/score.txt there"
                )
            self._process = subprocess.Popen(
                [self._python, "-m", "stellar_optimization.problems.score", "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the solver's tables, thousands of lines
                text=True,
                cwd=PACKAGE_FOLDER,
                env={**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"},
            )
        return self._process
