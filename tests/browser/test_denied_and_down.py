"""Nothing is shown to whom it does not belong, and a missing service is said, not hidden."""

from __future__ import annotations

import re

import httpx
import pytest
from browser.conftest import RealJob
from browser.portal_pages import row_of
from browser.real_platform import RealPlatform
from browser.watched_page import WatchedPage
from playwright.sync_api import Page, expect

ROUTES = (
    "/me",
    "/pools",
    "/teams",
    "/workloads",
    "/events",
    "/catalog/entities",
    "/jobs",
    "/jobs/{job}",
    "/jobs/{job}/manifest",
    "/jobs/{job}/logs",
    "/jobs/{job}/metrics",
    "/jobs/{job}/results",
    "/jobs/{job}/results/summary.json",
    "/previews/{job}/summary.json",
    "/no-such-route",
)
SOURCES = "backstage/plugins/ml-platform-backend/src/service/router.ts"


def test_nobody_reads_jobs_without_signing_in(
    watched: WatchedPage, platform: RealPlatform, real_job: RealJob
) -> None:
    job = real_job.submitted()
    base = f"{platform.portal_url}/api/ml-platform"
    for bearer in ({}, {"Authorization": "Bearer made.up.token"}):
        with httpx.Client(base_url=base, headers=bearer, trust_env=False, timeout=30) as stranger:
            for route in ROUTES:
                answer = stranger.get(route.format(job=job))
                assert answer.status_code == 401, f"{route} answers {answer.status_code}"
    for route in ("/v1/jobs", f"/v1/jobs/{job}", "/v1/actions", "/v1/events"):
        answer = httpx.get(platform.service_url + route, trust_env=False, timeout=30)
        assert answer.status_code == 401, f"{route} answers {answer.status_code}"

    watched.page.goto(f"/jobs/{job}")
    expect(watched.page.get_by_role("button", name="Enter")).to_be_visible()
    expect(watched.page.get_by_text(job)).to_be_hidden()
    watched.check_accessibility()


def test_a_job_of_another_team_is_denied(
    page: Page, watched: WatchedPage, platform: RealPlatform
) -> None:
    foreign = platform.submit("paced", preset="endless", name="theirs", team="edge-plasma")
    try:
        watched.expect_fault("console: Failed to load resource.*403", "the refusal is the story")
        page.goto(f"/jobs/{foreign}")
        alert = page.get_by_role("alert").filter(has_text=f"You may not see job {foreign}")
        expect(alert).to_contain_text("belongs to edge-plasma")
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()
        watched.check_accessibility()
        page.goto("/jobs")
        expect(page.get_by_role("row").nth(1)).to_be_visible()
        expect(row_of(page, foreign)).to_be_hidden()
    finally:
        platform.cancel(foreign)


@pytest.mark.timeout(1800)
def test_pages_say_that_the_service_is_down_and_come_back(
    page: Page, watched: WatchedPage, platform: RealPlatform
) -> None:
    watched.expect_fault("console: Failed to load resource", "the service is down on purpose")
    alert = page.get_by_role("alert").filter(has_text="Could not load the jobs")
    with platform.without_service():
        expect(alert).to_be_visible()
        expect(alert).to_contain_text(re.compile("does not answer"))
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        watched.check_accessibility()
    page.get_by_role("button", name="Try again").click()
    expect(alert).to_be_hidden()
    expect(page.get_by_role("row").nth(1)).to_be_visible()
