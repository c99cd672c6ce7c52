#!/bin/sh
# `make science`: a preset of the example, `full` unless named, without portal and service, on a Ray of its own.
# Writes to .ml-platform/science; the same command again continues a run that was interrupted.
# SEED=3 takes that seed instead of the preset's, PROBLEM=mhd_stable that problem, SET="modes=4 max_solves=40"
# any other parameters of workload.yaml.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup-python.sh
root=$PWD/.ml-platform/science
uv=$PWD/.venv/bin/uv
parameters=$(.venv/bin/python - "${1:-full}" "${SEED:-}" "${PROBLEM:-}" "${SET:-}" <<'PYTHON'
import json, sys, typer
from pathlib import Path
from ml_platform.cli.submit import given_parameters
from ml_platform.errors import InputError
from ml_platform.workload import load_workload
_, preset, seed, problem, others = sys.argv
words = [f"seed={seed}"] * bool(seed) + [f"problem={problem}"] * bool(problem) + others.split()
workload = load_workload(Path("workloads/stellar_optimization"))
try:
    print(json.dumps(workload.resolve_parameters(given_parameters(words), workload.preset(preset))))
except typer.BadParameter as error:
    sys.exit(f"SET: {error.message}")
except InputError as error:
    sys.exit(f"{error.field}: {error.message}; {error.hint}")
PYTHON
)
run=$root/${1:-full}${PROBLEM:+-$PROBLEM}${SEED:+-seed-$SEED}${SET:+-$(printf %s "$SET" | tr -c '[:alnum:]_.' -)}
# There may be more to learn from since: a surrogate that is finished is trained anew.
if [ "${1:-full}" = surrogate ] && [ -f "$run/results/summary.json" ]; then rm -r "$run"; fi
cd workloads/stellar_optimization
for name in main score; do
    [ -x "$root/environments/$name/bin/python" ] || "$uv" venv --quiet --python ../../.venv/bin/python "$root/environments/$name"
    "$uv" pip sync --quiet --require-hashes --python "$root/environments/$name/bin/python" "requirements/$name.txt"
done
JOB_DIR="file://$run" JOB_ENVIRONMENTS="$root/environments" JOB_PARAMETERS="$parameters" RAY_AUTH_MODE=disabled \
    "$root/environments/main/bin/python" -m stellar_optimization
echo "results: $run/results"
