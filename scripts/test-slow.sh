#!/bin/sh
# `make test-slow`: workloads killed in the middle, which take minutes each. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"; export PATH
sh scripts/setup-python.sh
. scripts/workload-pythons.sh
exec .venv/bin/pytest tests --ignore tests/browser --ignore tests/cluster -m slow "$@"
