"""A scientist starts a job from the form, watches it, and runs it again."""

from __future__ import annotations

import re

import pytest
import yaml
from browser.conftest import RealJob
from browser.portal_pages import JobPage, choose, create, follow_to_job, open_form, press
from browser.real_platform import RealPlatform, eventually
from browser.screenshots import take_screenshot
from browser.watched_page import WatchedPage
from playwright.sync_api import Page, expect

TEAM = "stellarator-design"


def fill_in(page: Page, watched: WatchedPage) -> None:
    choose(page, "Workload", "Stellarator shape optimisation")
    choose(page, "Preset", "Quick look")
    expect(page.get_by_role("textbox", name="Time limit of the search (s)")).to_have_value("900")
    # The preset's search, cut short, and less smooth, so that it has a score by then: demo and science
    # runs do it whole.
    page.get_by_role("textbox", name="Solves per search").fill("10")
    page.get_by_role("textbox", name="Smoothness weight").fill("0.3")
    page.get_by_role("textbox", name="Name (optional)").fill("quick-look")
    watched.check_accessibility()
    press(page, "Next")
    expect(page.get_by_role("button", name=re.compile("Team$"))).to_have_text(re.compile("Stell"))
    expect(page.get_by_role("radio", name="This machine")).to_be_checked()
    expect(page.get_by_text("$5.07 per worker and hour")).to_be_visible()
    watched.check_accessibility()
    take_screenshot(page, "form")
    press(page, "Review")
    expect(page.get_by_role("row", name=re.compile("stellar_optimization"))).to_be_visible()


def test_the_form_starts_a_job_and_its_page_shows_it_running(
    page: Page, watched: WatchedPage, platform: RealPlatform, real_job: RealJob
) -> None:
    open_form(page)
    fill_in(page, watched)
    real_job.id = create(page)
    expect(page.get_by_text(f"{real_job.id} is on its way")).to_be_visible()
    watched.check_accessibility()

    follow_to_job(page)
    job = JobPage(page)
    job.expect_done("Committed")
    expect(job.facts).to_contain_text("by guest")
    check_record(job, platform, real_job.id)

    job.expect_done("Running", seconds=600)
    expect(page.get_by_text("Running", exact=True).first).to_be_visible()
    expect(job.log).to_contain_text(re.compile(r"\S+.*\n.*\S+"), timeout=480_000)
    before = len(job.log.inner_text())
    eventually(lambda: len(job.log.inner_text()) > before, 120, "the log grows")
    job.expect_points(at_least=2)  # the second one comes when all is compiled
    watched.check_accessibility()
    take_screenshot(page, "job-running")


def check_record(job: JobPage, platform: RealPlatform, job_id: str) -> None:
    """Git has what the page shows, and says who asked for it."""
    path = job.facts.get_by_role("row", name=re.compile("^Manifest")).locator("code").inner_text()
    assert path.startswith(f"jobs/{TEAM}/")
    author = platform.git("log", "--format=%an", "--diff-filter=A", "main", "--", path).strip()
    assert author == "guest"
    committed = platform.git("show", f"main:{path}")
    press(job.page, "View manifest")
    expect(job.manifest).to_be_visible()
    assert job.manifest.inner_text().strip() == committed.strip()
    labels = yaml.safe_load(committed)["metadata"]
    assert labels["name"] == job_id
    job.page.keyboard.press("Escape")
    expect(job.manifest).to_be_hidden()


@pytest.mark.timeout(1800)
def test_the_job_succeeds_and_shows_its_results(
    page: Page, watched: WatchedPage, real_job: RealJob
) -> None:
    job = JobPage(page)
    job.open(real_job.submitted())
    job.expect_done("Succeeded", seconds=1200)
    job.expect_done("Archived")
    expect(job.summary.get_by_role("row", name=re.compile("^Official score"))).to_contain_text(
        re.compile(r"0\.\d+")
    )
    pictures = page.get_by_role("button", name=re.compile("^Show .* large$"))
    expect(pictures.first).to_be_visible()
    for picture in page.get_by_role("img").filter(visible=True).all():
        if picture.evaluate("element => element.tagName") == "IMG":
            expect(picture).not_to_have_js_property("naturalWidth", 0)
    expect(page.get_by_role("link", name="Cancel job")).to_be_hidden()
    watched.check_accessibility()
    take_screenshot(page, "job-succeeded")


def test_run_again_and_cancel(
    page: Page, watched: WatchedPage, platform: RealPlatform, real_job: RealJob
) -> None:
    job = JobPage(page)
    job.open(real_job.submitted())
    page.get_by_role("link", name="Run again").click()
    expect(page.get_by_role("textbox", name="Name (optional)")).to_have_value("quick-look")
    expect(page.get_by_role("button", name=re.compile("Preset$"))).to_have_text(
        re.compile("Quick look")
    )
    expect(page.get_by_role("textbox", name="Solves per search")).to_have_value("10")
    press(page, "Next")
    expect(page.get_by_role("spinbutton", name="Workers (optional)")).to_have_value("2")
    press(page, "Review")
    second = create(page)
    assert second != real_job.id

    follow_to_job(page)
    expect(page.get_by_role("link", name=real_job.id)).to_be_visible()
    page.get_by_role("link", name="Cancel job").click()
    expect(page.get_by_role("textbox", name=re.compile("^Job"))).to_have_value(second)
    page.get_by_role("textbox", name=re.compile("^Reason")).fill("One was enough")
    watched.check_accessibility()
    press(page, "Review")
    create(page)

    job.open(second)
    job.expect_done("Cancelled", seconds=600)
    expect(page.get_by_text("One was enough").first).to_be_visible()
    watched.check_accessibility()
    assert "guest" in platform.git("log", "-1", "--format=%an", f"--grep={second}", "main")
