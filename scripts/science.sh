#!/bin/sh
# `make science`: the example's preset `full` without portal and service, on a Ray of its own.
# Writes to .ml-platform/science; the same command again continues a run that was interrupted.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup-python.sh
root=$PWD/.ml-platform/science
uv=$PWD/.venv/bin/uv
parameters=$(.venv/bin/python - "${1:-full}" <<'PYTHON'
import json, sys, yaml
with open("workloads/stellar_optimization/workload.yaml") as file:
    presets = yaml.safe_load(file)["presets"]
if sys.argv[1] not in presets:
    sys.exit(f"no preset {sys.argv[1]!r}; there are: {', '.join(presets)}")
print(json.dumps(presets[sys.argv[1]]["parameters"]))
PYTHON
)
cd workloads/stellar_optimization
for name in main score; do
    [ -x "$root/environments/$name/bin/python" ] || "$uv" venv --quiet --python ../../.venv/bin/python "$root/environments/$name"
    "$uv" pip sync --quiet --require-hashes --python "$root/environments/$name/bin/python" "requirements/$name.txt"
done
JOB_DIR="file://$root/${1:-full}" JOB_ENVIRONMENTS="$root/environments" JOB_PARAMETERS="$parameters" RAY_AUTH_MODE=disabled \
    "$root/environments/main/bin/python" -m stellar_optimization
echo "results: $root/${1:-full}/results"
