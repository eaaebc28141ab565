"""What every page has to be for everybody, asked of it in a real browser."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: Theme and width, in pixels, of the screens that a page has to be good on.
SCREENS = (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390))


def require_for_everybody(page: Page, path: str) -> None:
    """Go there: one heading says what it is, nothing is wider than the screen, and axe has nothing to say."""
    response = page.goto(path)
    assert response is not None
    assert response.status == 200, path
    assert page.locator("h1").count() == 1
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 1, f"{path} is {wide} pixels too wide"
    violations = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == [], path
