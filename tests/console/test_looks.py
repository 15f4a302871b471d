"""The frame of all pages in a real browser."""

from __future__ import annotations

import pytest

from tests.browser import assert_accessible
from tests.console.conftest import OpenPage
from tests.running import RunningApp


# The other two are in test_every_page.py.
@pytest.mark.parametrize(("width", "dark"), [(375, False), (1280, True)])
def test_the_frame_is_accessible(open_page: OpenPage, width: int, dark: bool) -> None:
    page = open_page("admin", "/console/account", width=width, dark=dark)
    assert page.locator("h1").inner_text() == "Your account"
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_login_page_is_accessible(open_page: OpenPage, running: RunningApp) -> None:
    page = open_page("agent", "/console/account")
    page.click("text=Log out")
    page.wait_for_url("**/console/login")
    assert_accessible(page)
    page.goto(f"{running.url}/console/account")
    assert "/console/login" in page.url
