"""The platform once for all stories, and for each story a fresh browser that is watched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser.real_platform import ROOT, WORKLOADS, RealPlatform
from browser.screenshots import HEIGHT, WIDTH
from browser.watched_page import WatchedPage
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ml_platform.build.local import remove_read_only

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Shared machines are slow at times; a page that is right does not wait for these.
PAGE_SECONDS = 60
RESULTS = ROOT / "test-results" / "browser"

# The list is empty only before the first job; the real job runs while the other stories are told.
ORDER = (
    "test_an_empty_list_offers_the_first_job",
    "test_the_form_starts_a_job_and_its_page_shows_it_running",
    "test_the_platform_refuses_what_the_form_let_pass",
    "test_nobody_reads_jobs_without_signing_in",
    "test_the_list_shows_states_and_finds_jobs",
    "test_a_job_of_another_team_is_denied",
    "test_the_form_says_on_its_own_page_what_cannot_be",
    "test_the_job_succeeds_and_shows_its_results",
    "test_run_again_and_cancel",
    "test_a_failed_job_says_why",
    "test_pages_say_that_the_service_is_down_and_come_back",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    mine.sort(key=lambda item: ORDER.index(item.name) if item.name in ORDER else len(ORDER))
    for item in mine:
        item.add_marker(pytest.mark.timeout(1200))
    places = [place for place, item in enumerate(items) if item in mine]
    for place, item in zip(places, mine, strict=True):
        items[place] = item


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    report = outcome.get_result()
    platform = item.funcargs.get("platform") if hasattr(item, "funcargs") else None
    if report.failed and isinstance(platform, RealPlatform):
        report.sections.append(("logs of the platform", platform.log_ends()))
    setattr(item, f"report_{report.when}", report)


@pytest.fixture(scope="session")
def platform() -> Iterator[RealPlatform]:
    # A short folder: pytest's own ones are too deep for Ray's sockets.
    folder = Path(tempfile.mkdtemp(prefix="mlp-browser-"))
    platform = RealPlatform(folder / "state")
    try:
        platform.run("build", "stellar_optimization", "v1.0.0")
        paced = folder / "paced"
        shutil.copytree(WORKLOADS / "paced", paced)
        shutil.copy(ROOT / "requirements" / "runtime.txt", paced / "requirements.txt")
        platform.run("build", "paced", "v1.0.0", "--path", str(paced))
        platform.start()
        yield platform
    finally:
        platform.stop()
        kept = RESULTS / "logs"
        shutil.rmtree(kept, ignore_errors=True)
        if platform.logs.exists():
            shutil.copytree(platform.logs, kept)
        remove_read_only(platform.home / "images")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or subprocess.run(
        ["sh", str(ROOT / "scripts" / "find-chromium.sh")],
        capture_output=True,
        text=True,
        check=True,
    )
    path = found if isinstance(found, str) else found.stdout.strip()
    expect.set_options(timeout=PAGE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def watched(
    browser: Browser, platform: RealPlatform, request: pytest.FixtureRequest
) -> Iterator[WatchedPage]:
    """A page of a fresh browser; what went wrong on it fails the test at its end."""
    context = browser.new_context(
        base_url=platform.portal_url,
        viewport={"width": WIDTH, "height": HEIGHT},
        device_scale_factor=1,
        color_scheme="light",
        locale="en-GB",
    )
    context.set_default_timeout(PAGE_SECONDS * 1000)
    watched = WatchedPage(context.new_page())
    yield watched
    report = getattr(request.node, "report_call", None)
    if report is None or report.failed:
        RESULTS.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "-", request.node.name)
        watched.page.screenshot(path=RESULTS / f"{name}.png")
        (RESULTS / f"{name}.txt").write_text(watched.page.locator("body").aria_snapshot())
    context.close()
    assert not watched.faults, "\n".join(watched.faults)


@pytest.fixture
def page(watched: WatchedPage) -> Page:
    """The page of a person who has signed in as guest."""
    watched.page.goto("/")
    watched.page.get_by_role("button", name="Enter").click()
    expect(watched.page.get_by_role("heading", name="Training jobs")).to_be_visible()
    return watched.page


@dataclass
class RealJob:
    """The one real job that the stories tell of."""

    id: str = ""

    def submitted(self) -> str:
        if not self.id:
            pytest.skip("the real job was not submitted; run the whole folder")
        return self.id


@pytest.fixture(scope="session")
def real_job() -> RealJob:
    return RealJob()
