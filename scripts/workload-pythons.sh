# Read by other scripts: builds the workloads' images, and names their Pythons and what these compiled.
environments() {
    .venv/bin/ml-platform build "$1" v1.0.0 >&2
    .venv/bin/python -c 'import sys
from ml_platform.build.images import ImageStore
from ml_platform.settings import Settings
store = ImageStore(Settings())
print(store.folder(store.resolve(sys.argv[1], "v1.0.0").digest) / "environments")' "$1"
}
stellar=$(environments stellar_optimization)
STELLAR_MAIN_PYTHON=$stellar/main/bin/python; export STELLAR_MAIN_PYTHON
STELLAR_SCORE_PYTHON=$stellar/score/bin/python; export STELLAR_SCORE_PYTHON
tokamak=$(environments tokamak_profiles)
TOKAMAK_MAIN_PYTHON=$tokamak/main/bin/python; export TOKAMAK_MAIN_PYTHON

# What they compile is kept between runs, for each kind of processor: such code may not run on another.
if [ -z "${JAX_COMPILATION_CACHE_DIR:-}" ]; then
  . scripts/cache-folder.sh
  processor=$({
    uname -sm
    grep -m 1 -E '^(flags|Features)' /proc/cpuinfo || sysctl -n machdep.cpu.brand_string
  } 2>/dev/null | cksum | cut -d ' ' -f 1)
  JAX_COMPILATION_CACHE_DIR=$cache/jax-$processor; export JAX_COMPILATION_CACHE_DIR
  # Also what compiles in less than a second; and a copy of the folder serves as well as the folder.
  export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES=none
fi
