#!/bin/sh
# `make demo`: sets up what is missing, then hands over to `ml-platform demo`.
set -eu
cd "$(dirname "$0")/.."
began=$(date +%s)
mkdir -p .tools
sh scripts/setup-python.sh
# The example's packages come while Node's do: one waits for the network, the other for the disk.
.venv/bin/ml-platform build stellar_optimization v1.0.0 >.tools/build-image.log 2>&1 &
image=$!
sh scripts/setup-node.sh
wait "$image" || { cat .tools/build-image.log >&2; exit 1; }
exec .venv/bin/ml-platform demo --set-up-since "$began" "$@"
