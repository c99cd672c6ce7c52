"""A page that remembers what went wrong on it, and looks at itself for accessibility."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

LOOPBACK = ("127.0.0.1", "localhost")
LOCAL_SCHEMES = ("data", "blob", "about", "chrome-error")
AXE_OPTIONS = {"resultTypes": ["violations"]}
LOOKS = 5

# A list that has just been closed fades out; half faded, its words have no contrast.
AT_REST = """() => Promise.allSettled(
  document.getAnimations()
    .filter(animation => Number.isFinite(animation.effect.getComputedTiming().endTime))
    .map(animation => animation.finished))"""

# Elements of Backstage's own pages and components that we cannot mend, by axe rule. Ours never.
KNOWN: dict[str, Sequence[str]] = {
    # The tabs of a plugin's header name panels that the page has not: they are links.
    "aria-valid-attr-value": (".bui-Tab",),
    # BUI's secondary text on BUI's colour of the row under the mouse is 4.39:1.
    # The task page's log has green words that are 2.77:1.
    "color-contrast": ("[role=row].bui-TableRow:hover", "div:has(> a[href*='#line-'])"),
    # The task page: progress without a name, a log of rows that are in no table, bare icons.
    "aria-progressbar-name": (".MuiLinearProgress-root",),
    "aria-required-children": ("a[href*='#line-']",),
    "aria-required-parent": ("a[href*='#line-']",),
    "button-name": (".MuiIconButton-sizeSmall",),
}


@dataclass
class WatchedPage:
    """`page`, and the faults seen on it that no `expect_fault` has announced."""

    page: Page
    faults: list[str] = field(default_factory=list)
    _expected: list[re.Pattern[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._fault(f"page error: {error}"))
        self.page.on("request", self._request)

    def expect_fault(self, pattern: str, reason: str) -> None:
        """Let faults pass that match; `reason` says why they belong to the story."""
        assert reason
        self._expected.append(re.compile(pattern))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._fault(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in LOCAL_SCHEMES and address.hostname not in LOOPBACK:
            self._fault(f"asked another machine: {request.url}")

    def _fault(self, text: str) -> None:
        if not any(pattern.search(text) for pattern in self._expected):
            self.faults.append(text)

    def check_accessibility(self) -> None:
        """Serious and critical violations of the page as it is at rest are faults."""
        where = urlsplit(self.page.url).path
        for violation, target, node in self._violations():
            if not self._is_known(violation["id"], target):
                self._fault(
                    f"axe {violation['impact']} {violation['id']} on {where}: {target}\n"
                    f"    {node['html'][:200]}\n    {node.get('failureSummary', '')}"
                )

    def _violations(self) -> list[tuple[Any, str, Any]]:
        """Rule, selector and element of each; looked for again while the page still changes."""
        for _ in range(LOOKS):
            self.page.evaluate(AT_REST)
            found = [
                (violation, " ".join(map(str, node["target"])), node)
                for violation in Axe().run(self.page, options=AXE_OPTIONS).response["violations"]
                if violation["impact"] in ("serious", "critical")
                for node in violation["nodes"]
            ]
            if all(self.page.locator(target).count() for _, target, _ in found):
                return found
        raise AssertionError(f"the page does not come to rest: {[rest for _, rest, _ in found]}")

    def _is_known(self, rule: str, target: str) -> bool:
        selectors = KNOWN.get(rule, ())
        return any(
            self.page.locator(target).first.evaluate(
                "(element, selector) => Boolean(element.closest(selector))", selector
            )
            for selector in selectors
        )
