"""The widget and the real app (with a stand-in for Rasa): that both mean the same by the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine

from rapport.kit.settings import Settings
from tests.fake_rasa import FakeRasa, answer, reply
from tests.running import RunningApp
from tests.web.conftest import Chat


def behave(turn: dict[str, Any]) -> dict[str, Any]:
    """A small bot: offers a button, and says what it heard."""
    heard = turn.get("text") or turn.get("payload")
    buttons = [{"title": "My points", "payload": "/ask_points_balance"}] if heard == "help" else []
    return answer(reply(f"heard {heard}", buttons=buttons))


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine) -> Iterator[RunningApp]:
    rasa = FakeRasa()
    rasa.behave = behave
    running = RunningApp(settings, sqlite_engine, rasa)
    yield running
    running.stop()
    rasa.stop()


def test_the_demo_page_s_chat_talks_with_the_app(app: RunningApp, browser: Browser) -> None:
    page = browser.new_page(locale="en-GB")
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{app.url}/?lang=nb")
    image = page.locator(".hero img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1600
    chat = Chat(page)
    chat.open()
    chat.say("help")
    chat.shows("help", "heard help")
    chat.panel.get_by_role("button", name="My points").click()
    everything = ["help", "heard help", "My points", "heard /ask_points_balance"]
    chat.shows(*everything)
    chat.say("/restart <b>")
    everything += ["/restart <b>"]
    expect(chat.bubbles).to_have_count(6)
    expect(chat.bubbles.nth(4)).to_have_text("/restart <b>")
    page.reload()
    chat.open()
    expect(chat.bubbles).to_have_count(6)
    expect(chat.panel.locator(".typing")).to_be_hidden()
    page.context.close()
    assert errors == []
