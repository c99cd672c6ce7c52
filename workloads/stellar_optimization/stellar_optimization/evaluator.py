"""Client of the official evaluator, which needs a Python environment of its own."""

import json
import os
import selectors
import subprocess
from pathlib import Path
from typing import Any

PACKAGE_FOLDER = Path(__file__).resolve().parent.parent


class OfficialEvaluator:
    """Asks one long-lived `score --serve` process, so that its slow imports are paid once."""

    def __init__(self, python: Path, limit_seconds: float) -> None:
        self._python, self._limit = python, limit_seconds
        self._process: subprocess.Popen[str] | None = None

    def score(self, boundary: dict[str, Any], fidelity: str) -> dict[str, Any]:
        """The official result (see score.py); one that takes too long has only an error."""
        process = self._running()
        assert process.stdin and process.stdout
        request = json.dumps({"boundary": boundary, "fidelity": fidelity})
        process.stdin.write(request + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            answered = bool(selector.select(self._limit))
        line = process.stdout.readline() if answered else ""
        if line:
            result: dict[str, Any] = json.loads(line)
            return result
        process.kill()
        process.wait()
        self._process = None
        reason = "evaluator crashed" if answered else f"no result after {self._limit:g} s"
        return {"fidelity": fidelity, "score": None, "feasible": False, "error": reason}

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            if not self._python.exists():
                raise FileNotFoundError(
                    f"no Python at {self._python}; install requirements/score.txt there"
                )
            self._process = subprocess.Popen(
                [self._python, "-m", "stellar_optimization.score", "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the solver's tables, thousands of lines
                text=True,
                cwd=PACKAGE_FOLDER,
                env={**os.environ, "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"},
            )
        return self._process
