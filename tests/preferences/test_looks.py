"""The pages in a real browser, without a script: light and dark, phone and desk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, select

from rapport.customers import choices, repository
from rapport.customers.choices import Said
from rapport.customers.models import Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from tests.fake_rasa import FakeRasa
from tests.preferences.conftest import a_customer, path_to
from tests.running import RunningApp

WIDE, PHONE = 1280, 375


@pytest.fixture
def running(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, sqlite_engine, rasa)
    yield running
    running.stop()


def opened(browser: Browser, url: str, width: int, dark: bool) -> Page:
    # axe needs scripts, the pages don't: what they send is tried without a browser.
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    return page


def look_at(page: Page) -> None:
    # Nothing moves on these pages: axe need not wait.
    assert Axe().run(page).response["violations"] == []


def test_the_pages_are_accessible(browser: Browser, running: RunningApp, sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session:
        ann = a_customer(session)
        session.scalars(select(Identity)).one().verified_at = clock.now()
        choices.agree(session, ann, [("newsletter", "email")], Said("test", "test"))
    preferences, unsubscribe = path_to("preferences", ann, "ro"), path_to("unsubscribe", ann, "nb")
    for width, dark in ((PHONE, False), (WIDE, False), (PHONE, True), (WIDE, True)):
        page = opened(browser, running.url + preferences, width, dark)
        assert page.locator("h1").inner_text() == "Ce primești de la noi"
        look_at(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # The smallest thing to press, in CSS pixels (WCAG 2.2, 2.5.8).
        boxes = [box.bounding_box() for box in page.locator("label:has(input), button, select, nav a").all()]
        assert min(box["height"] for box in boxes if box) >= 24
        page.context.close()
    page = opened(browser, running.url + preferences, PHONE, True)
    page.get_by_role("group", name="Mementouri").get_by_label("E-mail").check()
    page.get_by_role("button", name="Salvează").click()
    assert "De acum înainte prin e-mail: Mementouri." in page.locator(".done").inner_text()
    with session_scope(sqlite_engine) as session:
        assert ("reminders", "email") in repository.granted_consents(session, ann)
    page.goto(running.url + unsubscribe)
    look_at(page)
    page.get_by_role("button", name="Meld meg av alt").click()
    look_at(page)
    for path in ("/subscribe?lang=es", "/p/none"):
        page.goto(running.url + path)
        look_at(page)
    page.context.close()
    with session_scope(sqlite_engine) as session:
        assert repository.granted_consents(session, ann) == []
