"""The main job in a real browser: real clicks and typing, real Rasa, real database, real mail folder."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import assert_accessible
from tests.stack import Stack
from tests.web.conftest import Chat

EMMA = "emma@example.com"
CODE = re.compile(r"\bFJ-[A-Z2-9]{4}-[A-Z2-9]{4}\b")


@pytest.fixture
def page(browser: Browser) -> Page:
    return browser.new_page(locale="en-GB")


def type_in(chat: Chat, text: str) -> None:
    """Type key by key, as a person does, and wait until the answer has come."""
    before = chat.log.locator(".bubble").count()
    chat.input.press_sequentially(text, delay=5)
    chat.input.press("Enter")
    expect(chat.log.locator(".bubble").nth(before + 1)).to_be_visible(timeout=15_000)


def test_a_visitor_becomes_a_known_customer(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/?lang=en")
    chat = Chat(page)
    chat.open()

    type_in(chat, "where is my order?")
    expect(chat.log).to_contain_text("e-mail")
    assert "FJ-" not in chat.log.inner_text()

    mails = len(stack.mails(EMMA))
    type_in(chat, EMMA)
    type_in(chat, stack.code(EMMA, mails))
    expect(chat.log).to_contain_text(re.compile(r"FJ-\d{5}"), timeout=15_000)

    type_in(chat, "do you have a discount for me?")
    expect(chat.log).to_contain_text(CODE, timeout=15_000)
    type_in(chat, "any discount code for me?")
    codes = set(CODE.findall(chat.log.inner_text()))
    assert len(codes) == 1
    issued = stack.rows(
        "SELECT code FROM coupon JOIN identity USING (customer_id) WHERE identity.value = ?", EMMA
    )
    assert {code for (code,) in issued} == codes

    before = chat.log.locator(".bubble").all_inner_texts()
    page.reload()
    chat.open()
    expect(chat.log.locator(".bubble")).to_have_count(len(before), timeout=15_000)
    assert chat.log.locator(".bubble").all_inner_texts() == before

    # Verification belongs to the conversation: it has survived the reload.
    type_in(chat, "how many points do I have?")
    expect(chat.log).to_contain_text("points")
    assert "six digits" not in chat.log.locator(".bubble").last.inner_text()

    type_in(chat, "can we speak Spanish?")
    type_in(chat, "¿cuántos puntos tengo?")
    expect(chat.log.locator(".bubble").last).to_contain_text("puntos")
    assert stack.rows("SELECT count(*) FROM message WHERE status = 'received'") == [(0,)]


def test_the_real_page_is_accessible_and_shows_markup_as_text(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/?lang=es")
    chat = Chat(page)
    chat.open()
    type_in(chat, "<img src=x onerror=\"document.title='hacked'\"> hola")
    expect(chat.log).to_contain_text("<img src=x")
    assert page.title() != "hacked"
    assert_accessible(page)


def test_mails_can_be_read_on_the_development_page(stack: Stack, page: Page) -> None:
    talk = stack.talk("nb")
    talk.says("hvor er pakken min?")
    talk.says("kari@example.com")
    code = stack.code("kari@example.com")
    page.goto(f"{stack.url}/dev/mail")
    page.get_by_text("kari@example.com").first.click()
    expect(page.locator("body")).to_contain_text(code)
