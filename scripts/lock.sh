#!/bin/sh
# Resolves requirements/*.in into hashed locks without addresses, for every platform.
set -eu
cd "$(dirname "$0")/.."
eval "$(.venv/bin/python python-actions/src/ml_platform/build/package_index.py)"
for name in runtime dev; do
  .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url "requirements/$name.in" -o "requirements/$name.txt"
done
# The probe's image takes the versions that the platform itself has.
probe=tests/cluster/probe/requirements/main
.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate --no-emit-index-url -c requirements/runtime.txt "$probe.in" -o "$probe.txt"
