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
import json, jsonschema, sys, yaml
with open("workloads/stellar_optimization/workload.yaml") as file:
    workload = yaml.safe_load(file)
presets = workload["presets"]
_, preset, seed, problem, others = sys.argv
if preset not in presets:
    sys.exit(f"no preset {preset!r}; there are: {', '.join(presets)}")
chosen = {"seed": int(seed)} if seed else {}
chosen |= {"problem": problem} if problem else {}
for word in others.split():
    name, _, value = word.partition("=")
    chosen[name] = yaml.safe_load(value)
parameters = presets[preset]["parameters"] | chosen
for error in jsonschema.Draft202012Validator(workload["parameters"]).iter_errors(parameters):
    sys.exit(f"{error.json_path.removeprefix('$.')}: {error.message}")
print(json.dumps(parameters))
PYTHON
)
run=$root/${1:-full}${PROBLEM:+-$PROBLEM}${SEED:+-seed-$SEED}${SET:+-$(echo "$SET" | tr ' =/' '---')}
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
