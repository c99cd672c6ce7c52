"""`make demo`: from a checkout to a succeeded job, along the road that every job takes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from ml_platform.build.local import build_image, workload_folder
from ml_platform.errors import WorkError
from ml_platform.local.portal_form import Portal, example_values
from ml_platform.local.process_tree import ProcessId
from ml_platform.local.up import running_platform, start_detached, stop_platform
from ml_platform.sdk import Job, PlatformClient
from ml_platform.settings import Settings

TEMPLATE_SECONDS = 90.0
LOOK_SECONDS = 1.0

Say = Callable[[str], None]


class Phases:
    """How long each part of the demo took."""

    def __init__(self, set_up_since: float | None) -> None:
        self._last = set_up_since or time.time()
        self.seconds: dict[str, float] = {}

    def done(self, name: str) -> None:
        now = time.time()
        self.seconds[name] = now - self._last
        self._last = now

    def text(self) -> str:
        parts = [f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items()]
        return f"{', '.join(parts)}; {sum(self.seconds.values()):.0f} s in all"


class Demo:
    """The platform with one job in it. `close` ends what this demo has started."""

    def __init__(self, settings: Settings, say: Say, set_up_since: float | None) -> None:
        self._settings = settings
        self._say = say
        self._started = False
        self._supervisor: ProcessId | None = None
        self.phases = Phases(set_up_since)

    def prepare(self) -> None:
        """Build the portal and the example's image, at the same time."""
        self.phases.done("set-up")
        values = example_values(self._settings.root)["training"]
        folder = workload_folder(values["workload"], self._settings)
        with ThreadPoolExecutor(2) as pool:
            portal = pool.submit(self._build_portal)
            image = pool.submit(build_image, folder, values["version"], self._settings, self._say)
            portal.result()
            image.result()
        self.phases.done("build")

    def start(self) -> None:
        """Start the platform, unless it runs already."""
        state = running_platform(self._settings)
        if state is None:
            self._started = True
            self._say("starting Ray, the service and the portal")
            start_detached(self._settings, portal=True, say=self._say)
        elif not any(program.name == "backstage" for program in state.programs):
            raise WorkError(
                "the platform runs without the portal",
                hint="`ml-platform down`, then run the demo again",
            )
        else:
            self._say("the platform is running already")
        state = running_platform(self._settings)
        self._supervisor = state.supervisor if state else None

    def stands(self) -> bool:
        """Whether the platform is still the one that the job was sent to."""
        state = running_platform(self._settings)
        return state is not None and state.supervisor == self._supervisor

    def stay(self) -> None:
        """Come back when somebody else has ended the platform, or put another in its place."""
        while self.stands():
            time.sleep(LOOK_SECONDS)

    def submit(self, platform: PlatformClient) -> Job:
        """Send the template's example through the portal, as the form does."""
        portal = Portal(self._settings.backstage_url)
        portal.sign_in()
        portal.wait_for_template(TEMPLATE_SECONDS)
        self.phases.done("start")
        page = portal.submit(example_values(self._settings.root), self._say)
        return platform.job(PurePosixPath(page.partition("?")[0]).name)

    def close(self) -> None:
        if self._started and (self._supervisor is None or self.stands()):
            self._say("stopping the platform")
            stop_platform(self._settings)

    def _build_portal(self) -> None:
        script = self._settings.root / "scripts" / "build-backstage.sh"
        if subprocess.run(["sh", str(script)], check=False).returncode != 0:
            raise WorkError("the portal could not be built; the reason is above")
