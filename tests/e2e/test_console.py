"""The main ways through the console with nothing faked: first account, find, read, step in, correct."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.stack import Stack
from tests.web.conftest import Chat

ADDRESS = "mia@fjordly.example"
PASSWORD = "four words that nobody guesses"


@pytest.fixture
def context(browser: Browser) -> BrowserContext:
    return browser.new_context(locale="en-GB")


def first_account(stack: Stack, page: Page) -> None:
    """By the link that `rapport up` prints while there is no account."""
    said = stack.output.read_text(encoding="utf-8")
    link = re.search(r"http://\S+/console/welcome\?token=\S+", said)
    assert link, said
    page.goto(link[0])
    page.fill("input[name=name]", "Mia Manager")
    page.fill("input[name=email]", ADDRESS)
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    expect(page.get_by_role("navigation")).to_be_visible()
    page.goto(link[0])
    expect(page.locator("h1")).not_to_have_text("Welcome")


def test_from_the_first_account_to_a_corrected_bot(stack: Stack, context: BrowserContext) -> None:
    page = context.new_page()
    first_account(stack, page)

    chat = Chat(context.new_page())
    chat.page.goto(f"{stack.url}/?lang=en")
    chat.open()
    chat.say("I love kayaking in the fjords of Vestland")
    expect(chat.bubbles).to_have_count(2, timeout=15_000)
    chat.say("can I talk to a real person please?")
    expect(chat.bubbles).to_have_count(4, timeout=15_000)

    page.goto(f"{stack.url}/console/waiting")
    page.locator("#queue tr", has_text="talk to a real person").locator("button.primary").click()
    page.fill("#say textarea", "Hello, this is Mia. Which kayak do you have?")
    page.keyboard.press("Control+Enter")
    expect(chat.bubbles.last).to_have_text("Hello, this is Mia. Which kayak do you have?", timeout=15_000)
    chat.say("a yellow one")
    expect(page.locator("#transcript")).to_contain_text("a yellow one")
    page.fill("#say textarea", "Then you are well prepared. Have a good trip!")
    page.keyboard.press("Control+Enter")
    expect(chat.bubbles.last).to_have_text("Then you are well prepared. Have a good trip!", timeout=15_000)
    page.reload()
    page.click("text=Hand back to the bot")
    expect(page.locator("#transcript")).to_be_visible()
    chat.say("which delivery options do you have?")
    expect(chat.log).to_contain_text(re.compile("working days|pick-?up", re.IGNORECASE), timeout=15_000)

    # Found by its words, read, corrected.
    page.goto(f"{stack.url}/console/conversations")
    page.get_by_role("searchbox").fill("kayaking vestland")
    page.keyboard.press("Enter")
    page.locator("main mark").first.wait_for()
    page.locator("main a", has_text="Visitor").first.click()
    expect(page.locator("#transcript")).to_contain_text("I love kayaking in the fjords of Vestland")
    first = page.locator("#transcript details", has_text="Correct").first
    first.locator("summary").click()
    first.locator("input[name=intent]").fill("ask_product_tips")
    first.get_by_role("button", name="Correct").first.click()
    page.goto(f"{stack.url}/console/teaching")
    expect(page.locator("main")).to_contain_text("I love kayaking in the fjords of Vestland")

    page.goto(f"{stack.url}/console/insight")
    expect(page.locator("svg[role=img]").first).to_be_visible()
    page.click("text=Log out")
    page.goto(f"{stack.url}/console/conversations")
    expect(page.locator("input[name=password]")).to_be_visible()
