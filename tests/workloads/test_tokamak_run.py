"""Physics, learning and a killed run of `tokamak_profiles`, by the workload's own Python."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

PYTHON = os.environ.get("TOKAMAK_MAIN_PYTHON", "")
FOLDER = Path(__file__).resolve().parents[2] / "workloads" / "tokamak_profiles"
pytestmark = [
    pytest.mark.skipif(
        not PYTHON, reason="TOKAMAK_MAIN_PYTHON does not name a Python of the workload"
    ),
    pytest.mark.timeout(900),  # a minute on an idle machine: it compiles
]
PARAMETERS = {"rows": 64, "members": 2, "hidden": 16, "updates": 200}
CHECKS = """
import jax, jax.numpy as jnp, numpy as np
from tokamak_profiles.learning.rows import batches, solve_rows
from tokamak_profiles.physics import heat_sources, solver
from tokamak_profiles.physics.grid import TO_NODES
from tokamak_profiles.physics.machine import CELL_VOLUMES, OperatingPoint, temperatures

# Bosch and Hale, Nucl. Fusion 32 (1992) 611, table VIII: cm^3/s at 2, 10 and 20 keV
found = np.asarray(heat_sources.reactivity(jnp.array([2.0, 10.0, 20.0]))) * 1e6
np.testing.assert_allclose(found, [2.977e-19, 1.136e-16, 4.330e-16], rtol=3e-3)

point = OperatingPoint(*(jnp.float32(v) for v in (50, 0.4, 0.2, 15, 0.9, 1.2, 4.5, 1.7)))
total = float(jnp.sum(heat_sources.heating(point)[:-1] * CELL_VOLUMES))
np.testing.assert_allclose(total, 50, rtol=1e-5)

gradients = jnp.linspace(0.5, 2.5, 36).reshape(2, 18)
small = jax.jit(jax.jacfwd(solver.mismatch, argnums=1))(point, gradients).reshape(36, 36)
balance = jax.jit(solver._balance)(point, gradients)
np.testing.assert_allclose(balance.derivative, small, atol=2e-4 * float(jnp.abs(small).max()))
np.testing.assert_allclose(balance.mismatch, solver.mismatch(point, gradients), atol=1e-3)

few, more = batches(64, 3), batches(128, 3)
np.testing.assert_array_equal(np.concatenate(few), np.concatenate(more[:2]))
rows = solve_rows(few[0])
power = rows.fusion_power[:3]  # as the solver had it when it had two places for the balance
np.testing.assert_allclose(power, [271.3634, 204.7029, 115.8524], rtol=1e-4)
assert rows.solved.mean() > 0.9, rows.solved
hot = rows.temperature[rows.solved][:, :, 0]
assert 5 < hot.min() and hot.max() < 40, hot
print("checked")
"""


def _environment(**job: str) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if name != "RAY_ADDRESS"}
    return {
        **inherited,
        "RAY_AUTH_MODE": "disabled",
        "RAY_raylet_start_wait_time_s": "60",  # a busy machine may need it
        "JAX_PLATFORMS": "cpu",
        **job,
    }


class Attempt:
    """One run of the entrypoint in `folder`."""

    def __init__(self, folder: Path, number: int, **changes: float) -> None:
        folder.mkdir(exist_ok=True)
        self._log = folder / f"log-{number}.txt"
        self._checkpoints = folder / "checkpoints" / str(number)
        parameters = {**PARAMETERS, **changes}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "tokamak_profiles"],
                cwd=FOLDER,
                env=_environment(
                    # Each attempt compiles the same, and a kill may leave half a file.
                    JAX_COMPILATION_CACHE_DIR=str(folder.parent / "compiled"),
                    JOB_DIR=folder.as_uri(),
                    JOB_ATTEMPT=str(number),
                    JOB_WORKERS="1",
                    JOB_PARAMETERS=json.dumps(parameters),
                ),
                stdout=log,
                stderr=subprocess.DEVNULL,
            )

    def end_once_there_is(self, name: str, how: signal.Signals) -> int:
        while not list(self._checkpoints.glob(name)):
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)
        self._process.send_signal(how)
        return self._process.wait()

    def finish(self) -> str:
        assert self._process.wait() == 0, self._log.read_text()
        return self._log.read_text()


def test_formulas_agree_with_their_sources_and_derivatives_with_differentiation(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [PYTHON, "-c", CHECKS],
        cwd=FOLDER,
        env=_environment(XDG_CACHE_HOME=str(tmp_path), JAX_COMPILATION_CACHE_DIR=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "checked\n", done.stderr
    (kept,) = (tmp_path / "tokamak_profiles").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o700
    assert any("solve" in entry.name for entry in kept.iterdir()), "the solver's program is kept"


@pytest.mark.slow
def test_a_run_that_was_killed_and_ended_gives_the_same_result(tmp_path: Path) -> None:
    Attempt(tmp_path / "alone", 0).finish()
    killed = tmp_path / "killed"
    Attempt(killed, 0).end_once_there_is("rows-000000.npz", signal.SIGKILL)
    code = Attempt(killed, 1).end_once_there_is("training-*-000003.json", signal.SIGTERM)
    log = Attempt(killed, 2).finish()

    assert code == 143
    assert "3 of 3 batches were solved before" in log and "of 20 rounds of training" in log
    summary = "results/summary.json"
    assert (killed / summary).read_text() == (tmp_path / "alone" / summary).read_text()
    pictures = {path.name for path in (killed / "results").glob("*.png")}
    light = {name for name in pictures if not name.endswith("-dark.png")}
    assert pictures == light | {name.replace(".png", "-dark.png") for name in light}
    assert len(light) == 4


@pytest.mark.slow
def test_a_folder_that_is_used_again_shows_nothing_of_the_run_before(tmp_path: Path) -> None:
    again = {"seed": 1, "heating_power": 60.0, "rows": 96}
    Attempt(tmp_path / "fresh", 0, **again).finish()
    Attempt(tmp_path / "used", 0).finish()
    Attempt(tmp_path / "used", 0, **again).finish()
    summary = "results/summary.json"
    assert (tmp_path / "used" / summary).read_text() == (tmp_path / "fresh" / summary).read_text()
