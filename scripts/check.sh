#!/bin/sh
# Linters, types and generated files. Prints what is wrong and nothing else.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"; export PATH

python_checks() {
  .venv/bin/ruff check --quiet python-actions tests benchmarks scripts workloads &&
    .venv/bin/ruff format --quiet --check python-actions tests benchmarks scripts workloads &&
    .venv/bin/mypy --no-error-summary &&
    .venv/bin/python scripts/generate.py --check
}

typescript_checks() {
  yarn generate:check && yarn tsc && yarn lint && yarn format:check && yarn config:check
}

python_checks &
python=$!
typescript=0
typescript_checks || typescript=$?
wait "$python"
exit "$typescript"
