"""Pictures of pages: always into test-results, and into docs/images when they are to be renewed."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

from browser.real_platform import ROOT
from PIL import Image
from playwright.sync_api import Page

WIDTH, HEIGHT = 1440, 900
TALLEST = 4000
MOST_BYTES = 300_000
RENEW = os.environ.get("UPDATE_SCREENSHOTS") == "1"


def take_screenshot(page: Page, name: str) -> None:
    """The whole page: the window is made as tall as its content, so that the sidebar is too."""
    content = page.evaluate(
        """() => Math.max(
            document.documentElement.scrollHeight,
            ...[...document.querySelectorAll('main')].map(element => element.scrollHeight))"""
    )
    page.set_viewport_size({"width": WIDTH, "height": min(max(content, HEIGHT), TALLEST)})
    picture = page.screenshot(animations="disabled", caret="hide")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    picture = with_palette(picture)
    folders = [ROOT / "test-results" / "screenshots"]
    if RENEW:
        folders.append(ROOT / "docs" / "images")
        assert len(picture) < MOST_BYTES, f"{name}.png has {len(picture)} bytes"
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        Path(folder / f"{name}.png").write_bytes(picture)


def with_palette(picture: bytes) -> bytes:
    """The PNG in 256 colours, which nobody sees and makes it small."""
    small = BytesIO()
    Image.open(BytesIO(picture)).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return small.getvalue()
