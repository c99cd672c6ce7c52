"""A demo that outlives its platform ends by itself, and leaves a later platform alone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml_platform.local.demo import Demo
from ml_platform.local.platform_state import PlatformState
from ml_platform.settings import Settings

Start = Callable[..., Any]
State = Callable[[], PlatformState | None]
READY = "from pathlib import Path; Path('backstage.ready').touch(); import time; time.sleep(600)"


def _is_ready(state: State) -> bool:
    found = state()
    return found is not None and found.ready and found.running


def test_a_demo_ends_with_its_platform_and_stops_no_other(
    start: Start, state: State, tmp_path: Path
) -> None:
    pause = threading.Event()
    said: list[str] = []
    platform = start(backstage=READY)
    while not _is_ready(state):
        pause.wait(0.02)
    demo = Demo(Settings(home=tmp_path), said.append, None)
    demo.start()
    assert said == ["the platform is running already"] and demo.stands()
    platform.send_signal(signal.SIGTERM)
    platform.wait(10)
    demo.stay()
    other = start(backstage=READY)
    while not _is_ready(state):
        pause.wait(0.02)
    assert not demo.stands()
    demo.close()
    assert other.poll() is None
