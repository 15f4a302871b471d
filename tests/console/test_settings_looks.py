"""The pages under Settings in a real browser: the way through one of them, and how they look."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from sqlalchemy import Engine

from rapport.kit.database import session_scope
from rapport.replies import service as replies
from rapport.shop.facts import get_facts
from tests.browser import assert_accessible
from tests.console.conftest import OpenPage
from tests.running import RunningApp

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
# Each in both widths and both colours somewhere, where it has parts of its own.
WIDE = ("", "/hours", "/refunds", "/delivery/history", "/replies", "/offers/birthday", "/answers")
NARROW = ("/hours", "/delivery/history", "/replies/1", "/answers/warranty", "/club", "/offers")


def _save_a_price(page: Page) -> None:
    """Types a price, looks at what the bot will say, and saves."""
    page.get_by_label("Price").first.fill("1,50")
    page.get_by_label("English").first.fill(f"Home {HOSTILE} for {{price}}")
    page.get_by_role("button", name="Preview").click()
    said = page.locator(".bubble[lang=en]").inner_text()
    assert "1.50" in said
    assert HOSTILE in said, "shown as it was typed"
    assert_accessible(page)
    page.get_by_label("Why?").fill(f"Cheaper {HOSTILE}")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("text=Saved.")


def _make_an_offer(page: Page) -> None:
    """Makes a new offer like another, looks at what customers hear, and ends it."""
    page.get_by_role("link", name="Loyal customers").click()
    page.get_by_role("link", name="Make a new one like this").click()
    page.get_by_label("Name, for you").fill(f"Winter {HOSTILE}")
    page.get_by_label("Ridge").check()
    page.get_by_role("button", name="Preview").click()
    assert "15" in page.locator(".bubble[lang=nb]").inner_text()
    assert_accessible(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("text=Customers get it from now on")
    page.get_by_role("button", name="End this offer").click()
    page.wait_for_selector("text=Codes given stay good")
    assert_accessible(page)


@pytest.mark.parametrize(("width", "dark", "paths"), [(1280, False, WIDE), (375, True, NARROW)])
def test_a_price_is_changed_and_all_pages_are_accessible(
    open_page: OpenPage,
    running: RunningApp,
    sqlite_engine: Engine,
    width: int,
    dark: bool,
    paths: tuple[str, ...],
) -> None:
    with session_scope(sqlite_engine) as session:
        replies.seed(session)
    page = open_page("manager", "/console/settings/delivery", width=width, dark=dark)
    _save_a_price(page)
    assert get_facts().delivery[0].price_minor == 150
    for path in paths:
        page.goto(f"{running.url}/console/settings{path}")
        assert page.locator("h1").count() == 1
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.title() != "owned"
        if path == "/offers":
            _make_an_offer(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{running.url}/console/settings/delivery/history")
    page.get_by_role("button", name="Back to the file").click()
    page.wait_for_selector("text=the file counts again")
    assert get_facts().delivery[0].price_minor == 9900


def test_a_mistake_is_shown_at_its_field(open_page: OpenPage) -> None:
    page = open_page("manager", "/console/settings/hours", width=375)
    page.get_by_label("Monday 1: from").fill("19:00")
    page.get_by_label("Monday 1: from").press("Enter")
    row = page.locator("tr", has_text="Monday")
    assert "Hours end after they begin" in row.inner_text()
    assert_accessible(page)
