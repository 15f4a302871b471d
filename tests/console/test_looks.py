"""The frame of all pages in a real browser."""

from __future__ import annotations

import pytest

from tests.browser import assert_accessible
from tests.console.conftest import OpenPage
from tests.running import RunningApp


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_frame_is_accessible(open_page: OpenPage, dark: bool, width: int) -> None:
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
