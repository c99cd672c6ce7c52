"""The workload's package, which is no part of the platform's, made importable for its tests."""

import sys
from pathlib import Path

WORKLOAD = Path(__file__).resolve().parents[2] / "workloads" / "stellar_optimization"
sys.path.insert(0, str(WORKLOAD))
