# Read by other scripts: builds the workloads' images and names their Pythons for the tests that use them.
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
