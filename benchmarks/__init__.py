"""Measurements of the platform: ratios of two sides of one run, since machines are shared and noisy.

Those on a cluster use the test cluster of `tests/cluster`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cluster"))
