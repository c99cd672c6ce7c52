"""Parts that several test folders share."""

from __future__ import annotations

import sys
from pathlib import Path

# Shared modules lie here; tests themselves are imported by path (--import-mode=importlib).
sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = ["ray_fixture", "service_fixture"]
