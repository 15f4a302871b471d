"""A stand-in for the app, a browser, and the widget as a person at the keyboard knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.web.fake_api import FakeApi, Server

expect.set_options(timeout=8_000)


@dataclass
class Chat:
    """The widget on a page."""

    page: Page

    @property
    def launcher(self) -> Locator:
        return self.page.locator("rapport-chat .launcher")

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def input(self) -> Locator:
        return self.panel.get_by_role("textbox")

    @property
    def bubbles(self) -> Locator:
        """What was said, without the greeting."""
        return self.page.locator("rapport-chat .entry:not(:first-child) .bubble")

    def open(self) -> None:
        self.launcher.click()
        expect(self.panel).to_be_visible()

    def say(self, text: str) -> None:
        self.input.fill(text)
        self.input.press("Enter")

    def shows(self, *texts: str) -> None:
        """Expects exactly these messages, in this order."""
        expect(self.bubbles).to_have_text(list(texts))


OpenPage = Callable[..., Chat]


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def port(api: FakeApi) -> Iterator[int]:
    with Server(api) as number:
        yield number


@pytest.fixture
def open_page(browser: Browser, port: int) -> Iterator[OpenPage]:
    """Opens a page with the widget in a new (or a given) browser profile and fails on any script error."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opener(
        path: str = "/page",
        host: str = "127.0.0.1",
        context: BrowserContext | None = None,
        script: str = "",
        **options: Any,
    ) -> Chat:
        if context is None:
            context = browser.new_context(**({"locale": "en-GB"} | options))
            contexts.append(context)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if "Content Security" in message.text else None,
        )
        page.goto(f"http://{host}:{port}{path}")
        chat = Chat(page)
        expect(chat.launcher).to_be_attached()
        return chat

    yield opener
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def chat(open_page: OpenPage) -> Chat:
    """The widget, opened, on a page of the same origin."""
    opened = open_page()
    opened.open()
    return opened
