#!/bin/sh
# `make science-seeds`: the preset `quick` with seeds 0 to 9 (or SEEDS="3 5"), one after the other, then their scores.
# A seed that has a result already is not run again. Seconds are those of `make science` for the seed, all included.
set -eu
cd "$(dirname "$0")/.."
seeds=${SEEDS:-0 1 2 3 4 5 6 7 8 9}
for seed in $seeds; do
    run=.ml-platform/science/quick-seed-$seed
    [ ! -f "$run/results/summary.json" ] || continue
    began=$(date +%s)
    SET='' PROBLEM='' SEED=$seed sh scripts/science.sh quick
    echo "$(($(date +%s) - began))" >"$run/seconds"
done
.venv/bin/python - $seeds <<'PYTHON'
import json, sys
from pathlib import Path
print("seed  official score  feasibility  seconds  CPU-s")
scores = []
for seed in sys.argv[1:]:
    run = Path(f".ml-platform/science/quick-seed-{seed}")
    summary = json.loads((run / "results" / "summary.json").read_text())
    seconds = (run / "seconds").read_text().strip()
    score, feasibility = summary.get("official_score"), summary.get("feasibility")
    scores.append(score or 0.0)
    shown = summary["no_official_score"] if score is None else f"{score:.6f}        {feasibility:.4f}"
    print(f"{seed:>4}  {shown}       {seconds:>7}  {summary['cpu_hours'] * 3600:.0f}")
published = summary["published_score"]
print(f"above the published {published}: {sum(s > published for s in scores)} of {len(scores)}")
PYTHON
