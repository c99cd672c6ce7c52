"""All jobs at a glance: empty, filled, filtered, and moving without a reload."""

from __future__ import annotations

import re

from browser.conftest import RealJob
from browser.portal_pages import JobPage, choose, row_of
from browser.real_platform import RealPlatform
from browser.watched_page import WatchedPage
from playwright.sync_api import Page, expect


def test_an_empty_list_offers_the_first_job(page: Page, watched: WatchedPage) -> None:
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    watched.check_accessibility()
    page.get_by_role("link", name="Start your first job").click()
    expect(page.get_by_role("heading", name="Training job", exact=True)).to_be_visible()


def test_the_list_shows_states_and_finds_jobs(
    page: Page, watched: WatchedPage, platform: RealPlatform, real_job: RealJob
) -> None:
    running = real_job.submitted()
    expect(row_of(page, running)).to_contain_text("Running", timeout=480_000)
    # It asks for the whole machine, so it waits; its row comes and changes without a reload.
    cores = platform.cores()
    waiting = platform.submit("paced", preset="endless", name="second-in-line", workers=cores)
    try:
        expect(row_of(page, waiting)).to_contain_text("Queued")
        watched.check_accessibility()
        look_at_its_page(page, waiting)
        search_and_filter(page, running, waiting)
    finally:
        platform.cancel(waiting)
    expect(row_of(page, waiting)).to_contain_text("Cancelled")
    expect(row_of(page, running)).to_contain_text("Running")
    watched.check_accessibility()


def look_at_its_page(page: Page, waiting: str) -> None:
    """There and back; the page says what the job waits for."""
    row_of(page, waiting).click()
    expect(page).to_have_url(re.compile(f"/jobs/{waiting}$"))
    expect(page.get_by_text(re.compile(r"waits for .*CPU")).first).to_be_visible()
    expect(JobPage(page).step("Admitted")).to_contain_text("waiting")
    page.get_by_role("link", name="All jobs").click()
    expect(row_of(page, waiting)).to_be_visible()


def search_and_filter(page: Page, running: str, waiting: str) -> None:
    search = page.get_by_role("searchbox", name="Search jobs")
    search.fill("second-in")
    expect(row_of(page, running)).to_be_hidden()
    expect(row_of(page, waiting)).to_be_visible()
    search.fill("no such job")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    search.fill("")
    expect(row_of(page, running)).to_be_visible()

    choose(page, "State", "Running")
    expect(row_of(page, waiting)).to_be_hidden()
    expect(row_of(page, running)).to_be_visible()
    choose(page, "State", "All states")
    expect(row_of(page, waiting)).to_be_visible()
    page.get_by_text("Only mine").click()
    expect(page.get_by_role("switch", name="Only mine")).to_be_checked()
    expect(row_of(page, running)).to_be_visible()
    page.get_by_text("Only mine").click()
