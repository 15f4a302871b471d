"""A conversation and a customer in a real browser: accessible, safe against what people write, live."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from sqlalchemy import Engine

from rapport.conversations.models import Conversation, Message
from rapport.kit.database import session_scope
from tests.browser import assert_accessible
from tests.console.conftest import OpenPage
from tests.console.lives import live
from tests.running import RunningApp

HOSTILE = """"'><script>window.hacked=1</script><img src=x onerror="window.hacked=1">{{7*7}}"""


def fits(page: Page, width: int) -> bool:
    return int(page.evaluate("document.documentElement.scrollWidth")) <= width


@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_pages_are_accessible_and_safe(
    open_page: OpenPage, running: RunningApp, sqlite_engine: Engine, width: int, dark: bool
) -> None:
    life = live(sqlite_engine, HOSTILE, name=f"Lucía {HOSTILE}")
    path = f"/console/conversations/{life.conversation}"
    page = open_page("manager", path, width=width, dark=dark)
    page.wait_for_selector("#transcript")
    page.fill("#notes form:last-of-type textarea", f"Note {HOSTILE}")
    page.click("text=Keep the note")
    page.fill("input[name=tag]", "Late <i>Delivery</i>")
    page.click("#tags >> text=Add")
    page.wait_for_selector(".tags li")
    page.check("input[name=understood]")
    assert page.locator("details.understood:not([open])").count() == 0
    assert "understood=1" in page.url
    for address in (path, f"/console/customers/{life.customer}", "/console/customers"):
        page.goto(running.url + address)
        page.wait_for_selector("h1")
        assert_accessible(page)
        assert fits(page, width), address
        assert page.evaluate("window.hacked") is None
        assert page.locator("main img, main script").count() == 0
        assert "7*7" in page.inner_text("main")
    page.goto(running.url + path)
    # It was remembered.
    assert page.is_checked("input[name=understood]")
    assert page.locator("details.understood[open]").count() > 0


def test_new_messages_appear_by_themselves(open_page: OpenPage, sqlite_engine: Engine) -> None:
    life = live(sqlite_engine)
    page = open_page("manager", f"/console/conversations/{life.conversation}")
    page.wait_for_selector("#m6")
    with session_scope(sqlite_engine) as session:
        session.get_one(Conversation, life.conversation).last_sequence = 7
        message = Message(
            conversation_id=life.conversation,
            sequence=7,
            author="customer",
            channel="whatsapp",
            status="received",
            text=f"news {HOSTILE}",
        )
        session.add(message)
    page.evaluate(
        "id => document.dispatchEvent(new CustomEvent('conversation:changed', {detail: {id}}))",
        life.conversation,
    )
    page.wait_for_selector("#m7")
    assert page.locator("#transcript > li").count() == 7
    assert "news" in page.inner_text("#m7") and page.evaluate("window.hacked") is None
    box = page.locator(".talk").evaluate(
        "e => e.scrollHeight - e.clientHeight + e.scrollTop <= e.scrollHeight"
    )
    assert box
