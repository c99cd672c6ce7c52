"""What went wrong is said first, in a sentence, wherever it went wrong."""

from __future__ import annotations

import re

from browser.portal_pages import JobPage, choose, open_form, press, row_of
from browser.real_platform import RealPlatform
from browser.screenshots import take_screenshot
from browser.watched_page import WatchedPage
from playwright.sync_api import Page, expect

CAUSE = "ValueError: loss is not finite at step 4; lower the learning rate"


def test_the_form_says_on_its_own_page_what_cannot_be(page: Page, watched: WatchedPage) -> None:
    watched.expect_fault("console: Form validation failed", "the form logs what it refuses")
    open_form(page)
    choose(page, "Workload", "Paced steps")
    page.get_by_role("textbox", name="Name (optional)").fill("Bad Name!")
    press(page, "Next")
    expect(page.get_by_text(re.compile("use lower-case letters, digits")).first).to_be_visible()
    watched.check_accessibility()
    page.get_by_role("textbox", name="Name (optional)").fill("good-name")
    press(page, "Next")
    expect(page.get_by_role("radio", name="This machine")).to_be_checked()
    workers = page.get_by_role("spinbutton", name="Workers (optional)")
    workers.fill("50")
    press(page, "Review")
    refusal = re.compile(r"You ask for 50 workers, This machine takes at most \d+")
    expect(page.get_by_text(refusal).first).to_be_visible()
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_hidden()
    watched.check_accessibility()
    workers.fill("1")
    press(page, "Review")
    expect(page.get_by_role("button", name="Create", exact=True)).to_be_visible()


def test_the_platform_refuses_what_the_form_let_pass(page: Page, watched: WatchedPage) -> None:
    open_form(page)
    choose(page, "Workload", "Paced steps")
    press(page, "Next")
    expect(page.get_by_role("radio", name="This machine")).to_be_checked()
    page.get_by_role("textbox", name="Time limit of one attempt (optional)").fill("30d")
    press(page, "Review")
    press(page, "Create")
    # The sentence, the field and the way out.
    expect(page.get_by_text(re.compile(r"max_duration: must be at most 14d")).first).to_be_visible(
        timeout=480_000
    )
    expect(page.get_by_text(re.compile("resume from a checkpoint")).first).to_be_visible()
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
