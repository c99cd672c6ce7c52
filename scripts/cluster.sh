#!/bin/sh
# `make cluster` and `make cluster-down`: the test cluster for people.
#   sh scripts/cluster.sh up | down | status
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup-python.sh
[ "$1" != up ] || sh scripts/install-cluster-packages.sh
PYTHONPATH=tests/cluster exec .venv/bin/python -m testbed "$1"
