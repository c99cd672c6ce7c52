"""The workload's package, which is no part of the platform's, and shared parts, made importable for tests."""

import sys
from pathlib import Path

WORKLOAD = Path(__file__).resolve().parents[2] / "workloads" / "stellar_optimization"
sys.path.insert(0, str(WORKLOAD))
sys.path.insert(0, str(Path(__file__).parent))
