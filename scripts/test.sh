#!/bin/sh
# `make test`: sets up what is missing and runs every test that needs no cluster.
# Two streams on two cores: TypeScript beside Python, then the browser on the finished build.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"; export PATH
mkdir -p test-results
begin=$(date +%s)
say() { printf 'test: [%4ds] %s\n' "$(($(date +%s) - begin))" "$*"; }

say "setting up"
sh scripts/setup-python.sh &
python=$!
node=0
sh scripts/setup-node.sh || node=$?
wait "$python"
[ "$node" = 0 ]
CHROMIUM=$(sh scripts/find-chromium.sh); export CHROMIUM

say "linters, types, generated files"
sh scripts/check.sh

say "building the workloads' images, whose Pythons some tests use"
. scripts/workload-pythons.sh

say "TypeScript tests beside the Python tests"
(yarn test >test-results/typescript.log 2>&1; echo $? >test-results/typescript.code) &
typescript=$!
python=0
# Three workers for two cores, since tests wait for Ray. One file on one of them, in the order of
# tests/conftest.py, so that what a file starts is started once.
.venv/bin/pytest tests -n 3 --dist loadfile --no-loadscope-reorder -m "not slow" --ignore tests/browser --ignore tests/cluster --junit-xml test-results/python.xml || python=$?
wait "$typescript" || true
tail -n 60 test-results/typescript.log
typescript=$(cat test-results/typescript.code)

browser=0
say "building the portal for the browser tests"
sh scripts/build-backstage.sh
say "browser tests"
.venv/bin/pytest tests/browser --junit-xml test-results/browser.xml || browser=$?

say "done: python $python, typescript $typescript, browser $browser (0 is a pass)"
[ "$python" = 0 ] && [ "$typescript" = 0 ] && [ "$browser" = 0 ]
