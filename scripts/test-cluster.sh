#!/bin/sh
# `make test-cluster`: a real cluster on this machine, without a container engine, and the tests that need one.
#   sh scripts/test-cluster.sh [pytest arguments]
# With KUBECONFIG set the tests run against that cluster instead (see tests/cluster/README.md).
set -eu
cd "$(dirname "$0")/.."
mkdir -p test-results
begin=$(date +%s)
say() { printf 'test-cluster: [%4ds] %s\n' "$(($(date +%s) - begin))" "$*"; }

say "setting up"
sh scripts/setup-python.sh
sh scripts/setup-node.sh
sh scripts/build-backstage.sh
if [ -z "${ML_PLATFORM_TEST_KUBECONFIG:-${KUBECONFIG:-}}" ]; then
  sh scripts/install-cluster-packages.sh
  say "programs of the cluster (the first time half an hour, then nothing)"
  sh scripts/build-tools.sh >/dev/null
fi

say "cluster tests"
code=0
[ $# -gt 0 ] || set -- tests/cluster
.venv/bin/pytest --junit-xml test-results/cluster.xml "$@" || code=$?
say "done: cluster $code (0 is a pass)"
exit "$code"
