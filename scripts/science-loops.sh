#!/bin/sh
# `make science-loops`: the preset `loop` with seeds 0 to 2 (or SEEDS="3 5"), one after the other, then whether proposed
# starts did better. A seed that has a result already is not run again.
set -eu
cd "$(dirname "$0")/.."
seeds=${SEEDS:-0 1 2}
for seed in $seeds; do
    [ -f ".ml-platform/science/loop-seed-$seed/results/summary.json" ] || SET='' PROBLEM='' SEED=$seed sh scripts/science.sh loop
done
.venv/bin/python - $seeds <<'PYTHON'
import json, sys
from pathlib import Path
from statistics import mean
arms = ("cold", "proposed", "archived")
shares = {"proposed_wins": [], "proposed_wins_over_archived": []}
print("share of pairs that proposed starts won (95 % interval), starts without equilibrium, median merit")
print(f"{'seed':>4}  {'over cold':<18}{'over best before':<18}" + "".join(f"{arm:<20}" for arm in arms) + "score     CPU-s")
for seed in sys.argv[1:]:
    summary = json.loads(Path(f".ml-platform/science/loop-seed-{seed}/results/summary.json").read_text())
    line = f"{seed:>4}  "
    for name, found in shares.items():
        low, high = summary[f"{name}_interval"]
        found.append(summary[name])
        line += f"{summary[name]:.2f} ({low:.2f}-{high:.2f})".ljust(18)
    for arm in arms:
        none, median = summary[f"{arm}_without_equilibrium"], summary.get(f"{arm}_merit_median")
        line += f"{none} of {summary[f'{arm}_starts']}, {median}".ljust(20)
    print(f"{line}{summary['official_score']:.6f}  {summary['cpu_hours'] * 3600:.0f}")
for name, found in shares.items():
    print(f"{name}: mean {mean(found):.2f}, from {min(found):.2f} to {max(found):.2f} over {len(found)} seeds")
PYTHON
