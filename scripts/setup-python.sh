#!/bin/sh
# Makes .venv: Python, every locked dependency (with hashes) and this project, editable.
# Safe to run again and after an interruption; does nothing when nothing changed.
set -eu
cd "$(dirname "$0")/.."

stamp=.venv/.ml-platform-stamp

say() { printf '%s\n' "setup: $*" >&2; }
fail() {
    printf '%s\n' "setup: $*" >&2
    exit 1
}

# A name on PATH is not enough: a version manager's shim may stand for nothing, and Debian's
# python3 comes without venv.
usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        usable_python "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11-3.13 with the venv module; unset PYTHON or point it at one"
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3.11 python3.12 python3.13 python3; do
        if usable_python "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 with venv is needed. Debian/Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12; or see https://www.python.org/downloads/"
}

# uv decides what is installed, so the whole input is what it reads.
wanted_state() {
    real=$("$1" -c 'import sys; print(sys.version, sys.base_prefix)')
    sum=$(cat pyproject.toml requirements/dev.txt requirements/uv.txt scripts/setup-python.sh | cksum)
    printf '%s\n' "$real $sum $(pwd)"
}

# Sets $uv. The command line of uv that is used here exists since 0.8.
find_uv() {
    if command -v uv >/dev/null 2>&1 && uv --version 2>/dev/null |
        awk '{ split($2, v, "."); exit !(v[1] > 0 || v[2] >= 8) }'; then
        uv=uv
        return
    fi
    uv=.tools/uv/bin/uv
    # Looked up in the folder's own stamp: an interrupted pip leaves a venv without one.
    uv_state=$(cksum <requirements/uv.txt)
    if [ "$(cat .tools/uv/.stamp 2>/dev/null)" = "$uv_state" ] && [ -x "$uv" ]; then
        return
    fi
    say "installing uv into .tools/uv"
    rm -rf .tools/uv
    mkdir -p .tools
    "$1" -m venv .tools/uv
    .tools/uv/bin/python -m pip install --quiet --disable-pip-version-check \
        --only-binary :all: --require-hashes -r requirements/uv.txt ||
        fail "could not install uv; check the network, or your pip index settings (pip config list)"
    printf '%s\n' "$uv_state" >.tools/uv/.stamp
}

python=$(find_python)
state=$(wanted_state "$python")
if [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && [ -x .venv/bin/ml-platform ]; then
    say "Python is ready (.venv, unchanged)"
    exit 0
fi
rm -f "$stamp"

package_settings=$("$python" python-actions/src/ml_platform/build/package_index.py)
eval "$package_settings"
export UV_NO_PROGRESS="${UV_NO_PROGRESS:-1}" UV_PYTHON_DOWNLOADS="${UV_PYTHON_DOWNLOADS:-never}"
unset VIRTUAL_ENV CONDA_PREFIX
find_uv "$python"

say "installing locked packages into .venv with $("$python" --version)"
real_python=$("$python" -c 'import sys; print(sys.executable)')
"$uv" venv --quiet --allow-existing --no-config --python "$real_python" .venv
"$uv" pip sync --quiet --python .venv --only-binary :all: --require-hashes requirements/dev.txt ||
    fail "could not install requirements/dev.txt; check the network, or your index settings (UV_DEFAULT_INDEX, pip config list), and run this again: it goes on where it stopped"
# The project's build backend is part of the uv that was just installed: nothing is downloaded.
.venv/bin/uv pip install --quiet --python .venv --no-deps --editable .
printf '%s\n' "$state" >"$stamp"
say "Python is ready (.venv)"
