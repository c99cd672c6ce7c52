"""What a person does on the portal's pages, by the names that they read there."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


def choose(page: Page, label: str, option: str) -> None:
    """Pick `option` of the drop-down list called `label`."""
    page.get_by_role("button", name=re.compile(rf"\b{label}$")).click()
    page.get_by_role("option", name=option, exact=True).click()


def open_form(page: Page) -> None:
    """From the list to the form, as far as it has asked the service what there is."""
    page.get_by_role("link", name="Start a job").last.click()
    expect(page.get_by_role("heading", name="Training job", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Parameters")).to_be_visible()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def create(page: Page) -> str:
    """Send the reviewed form; gives the id of the job that the task page links to."""
    press(page, "Create")
    link = page.get_by_role("link", name="Open the job's page")
    expect(link).to_be_visible(timeout=480_000)
    address = link.get_attribute("href") or ""
    return address.rstrip("/").rpartition("/")[2]


def follow_to_job(page: Page) -> None:
    """Press the task page's link, which may open in a tab of its own; goes on in this one."""
    address = page.get_by_role("link", name="Open the job's page").get_attribute("href")
    assert address
    page.goto(address)


class JobPage:
    """The page of one job."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.log = page.get_by_role("log")
        self.steps = page.get_by_role("list", name="Steps of the job")
        self.chart = page.get_by_role("figure", name=re.compile("over steps"))
        self.facts = page.get_by_role("table", name="The job")
        self.summary = page.get_by_role("table", name="Summary")
        self.manifest = page.get_by_label("Manifest", exact=True)

    def open(self, job_id: str) -> None:
        self.page.goto(f"/jobs/{job_id}")

    def step(self, title: str) -> Locator:
        return self.steps.get_by_role("listitem").filter(has_text=title)

    def expect_done(self, title: str, seconds: float = 60) -> None:
        """The step called `title` has happened: it shows when."""
        done = self.step(title).get_by_role("time")
        expect(done).to_be_visible(timeout=seconds * 1000)

    def expect_points(self, at_least: int, seconds: float = 480) -> None:
        """The chart says so many figures; its name counts them."""
        figures = "|".join((rf"[{at_least}-9]", r"\d{2,}"))
        named = self.page.get_by_role("figure", name=re.compile(rf"; (?:{figures}) figures"))
        expect(named).to_be_visible(timeout=seconds * 1000)


def row_of(page: Page, job_id: str) -> Locator:
    """The job's row in the list."""
    return page.get_by_role("row").filter(has_text=job_id)
