"""The entrypoint told to end, run by the workload's own Python (see test_stellar_geometry.py)."""

import os
import signal
import subprocess
import time
from pathlib import Path

from stellar_optimization.problems.design import DESIGNS
from stellar_python import PYTHON, needs_python


@needs_python
def test_sigterm_while_compiling_ends_with_a_checkpoint_and_says_so(tmp_path: Path) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "RAY_ADDRESS"}
    with subprocess.Popen(
        [PYTHON, "-m", "stellar_optimization"],
        cwd=DESIGNS.parent,
        env={
            **environment,
            "RAY_AUTH_MODE": "disabled",  # else Ray looks in the home folder, and may write there
            "JOB_DIR": tmp_path.as_uri(),
            "JOB_WORKERS": "1",
            "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),  # it ends while it compiles
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as job:
        assert job.stdout is not None
        while not job.stdout.readline().startswith("compiling"):
            assert job.poll() is None
        job.send_signal(signal.SIGTERM)
        sent = time.monotonic()
        last = job.stdout.readline()
        took = time.monotonic() - sent
        assert not job.stdout.read()
    assert last == "ended by SIGTERM while compiling; step 0 is saved\n"
    assert took < 10  # half a second on an idle machine
    assert job.returncode == 143
    assert (tmp_path / "checkpoints" / "0" / "000000.json").exists()
