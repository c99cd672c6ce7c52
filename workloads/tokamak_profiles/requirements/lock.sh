#!/usr/bin/env bash
# Remakes main.txt: exact versions with hashes, for Python 3.11 and later, wheels only.
set -euo pipefail
cd "$(dirname "$0")"
# One index: a machine's own wheel folders and extra indexes must not enter a lock.
unset PIP_FIND_LINKS UV_FIND_LINKS UV_INDEX UV_EXTRA_INDEX_URL
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --only-binary :all: --custom-compile-command requirements/lock.sh main.in --output-file main.txt
