"""What went wrong is said first, in a sentence, wherever it went wrong."""

from __future__ import annotations

import re

from browser.portal_pages import JobPage, choose, open_form, press, row_of
from browser.real_platform import RealPlatform
from browser.screenshots import take_screenshot
from browser.watched_page import WatchedPage
from playwright.sync_api import Page, expect

CAUSE = "ValueError: loss is not finite at step 4; lower the learning rate"


def test_the_platform_refuses_what_the_form_let_pass(page: Page, watched: WatchedPage) -> None:
    open_form(page)
    choose(page, "Workload", "Paced steps")
    press(page, "Next")
    expect(page.get_by_role("radio", name="This machine")).to_be_checked()
    page.get_by_role("spinbutton", name="Workers (optional)").fill("50")
    press(page, "Review")
    press(page, "Create")
    # The sentence, the field and the way out.
    expect(page.get_by_text(re.compile(r"workers must be 1-\d+.*got 50")).first).to_be_visible(
        timeout=480_000
    )
    expect(page.get_by_text(re.compile("ask for fewer workers")).first).to_be_visible()
    watched.check_accessibility()


def test_a_failed_job_says_why(page: Page, watched: WatchedPage, platform: RealPlatform) -> None:
    job_id = platform.submit("paced", preset="failing", name="diverges", attempts=1)
    job = JobPage(page)
    job.open(job_id)
    job.expect_done("Failed", seconds=900)
    alert = page.get_by_role("alert").filter(has_text=CAUSE)
    expect(alert).to_be_visible()
    above = alert.bounding_box()
    below = job.steps.bounding_box()
    assert above and below and above["y"] < below["y"]
    expect(job.log).to_contain_text("step 4: loss 0.2500")
    expect(job.log).to_contain_text(CAUSE)
    job.expect_points(at_least=3)
    expect(page.get_by_role("link", name="Run again")).to_be_visible()
    job.expect_done("Archived")
    watched.check_accessibility()
    take_screenshot(page, "job-failed")

    # The stories before have left a job of every kind.
    page.get_by_role("link", name="All jobs").click()
    expect(row_of(page, job_id)).to_contain_text("Failed")
    watched.check_accessibility()
    take_screenshot(page, "job-list")
