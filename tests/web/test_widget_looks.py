"""The widget and the demo page for everybody: languages, keyboard, screen readers, phones."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import assert_accessible
from tests.web.conftest import Chat, OpenPage
from tests.web.fake_api import FakeApi
from tests.web.test_widget import BUTTONS, COUPON, ORDERS, PRODUCT

PHONE = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True}
WORDS = {
    "en": ("Open chat", "Write a message", "Digital assistant", "On its way"),
    "es": ("Abrir el chat", "Escribe un mensaje", "Asistente digital", "En camino"),
    "nb": ("Åpne chatten", "Skriv en melding", "Digital assistent", "På vei"),
    "ro": ("Deschide chatul", "Scrie un mesaj", "Asistent digital", "Pe drum"),
}


def fill(chat: Chat, api: FakeApi) -> None:
    """A conversation with everything in it."""
    api.replies = {
        "orders": [{"text": "Your orders, see https://example.com/orders.", "card": ORDERS}],
        "discount": [{"text": "For you:", "card": COUPON}],
        "tent": [{"text": "This one:", "card": PRODUCT}],
        "help": [BUTTONS],
    }
    chat.open()
    for number, text in enumerate(["orders", "discount", "tent", "help"], 1):
        chat.say(text)
        expect(chat.bubbles).to_have_count(2 * number)
    api.conversation.add("system", "Kari has joined.")
    api.conversation.add("staff", "Hi, Kari here.", image="/demo/images/boots.svg")
    expect(chat.bubbles).to_have_count(10)


@pytest.mark.parametrize("language", WORDS)
def test_speaks_the_language_of_its_tag(open_page: OpenPage, api: FakeApi, language: str) -> None:
    api.page.update(lang="de", attributes=f'data-language="{language}"')
    api.replies = {"x": [{"text": "y", "card": ORDERS}]}
    opening, message, assistant, shipped = WORDS[language]
    chat = open_page()
    chat.page.get_by_role("button", name=opening).click()
    expect(chat.panel.get_by_role("textbox", name=message)).to_be_focused()
    expect(chat.panel.locator(".state")).to_have_text(assistant)
    chat.say("x")
    expect(chat.log).to_contain_text(shipped)
    assert api.conversation.language == language


def test_else_the_page_s_and_else_the_browser_s_language(open_page: OpenPage, api: FakeApi) -> None:
    api.page.update(lang="nn-NO")
    expect(open_page(locale="es-MX").launcher).to_have_accessible_name("Åpne chatten")
    api.page.update(lang="de")
    expect(open_page(locale="ro-RO").launcher).to_have_accessible_name("Deschide chatul")
    expect(open_page(locale="fr-FR").launcher).to_have_accessible_name("Open chat")


def test_follows_the_conversation_s_language(chat: Chat, api: FakeApi) -> None:
    api.replies = {
        "discount": [{"text": "For you:", "card": COUPON}],
        "hola": [{"text": "¡Hola!", "language": "es"}],
    }
    chat.say("discount")
    expect(chat.log).to_contain_text("Valid until 24 Dec 2026")
    chat.say("hola")
    expect(chat.panel.locator(".state")).to_have_text("Asistente digital")
    expect(chat.log).to_contain_text("Válido hasta el 24 dic 2026")
    expect(chat.panel.get_by_role("button", name="Copiar código")).to_be_visible()
    expect(chat.panel.get_by_role("textbox", name="Escribe un mensaje")).to_be_visible()
    chat.page.reload()
    chat.open()
    expect(chat.panel.locator(".state")).to_have_text("Asistente digital")


def test_every_label_exists_in_every_language(open_page: OpenPage) -> None:
    page = open_page().page
    source = page.evaluate("fetch('/widget.js').then((answer) => answer.text())")
    labels = source[source.index("const LABELS =") : source.index("let language")]
    keys: dict[str, list[str]] = page.evaluate(
        f"""() => {{ {labels};
        return Object.fromEntries(Object.entries(LABELS).map(([code, all]) => [code, Object.keys(all)])) }}"""
    )
    assert set(keys) == set(WORDS)
    assert all(keys[language] == keys["en"] for language in keys)


def test_works_with_the_keyboard_only(open_page: OpenPage, api: FakeApi) -> None:
    api.replies = {"help": [BUTTONS]}
    chat = open_page()
    press = chat.page.keyboard.press
    press("Tab")  # the page's own link
    press("Tab")
    expect(chat.launcher).to_be_focused()
    press("Enter")
    expect(chat.input).to_be_focused()
    chat.page.keyboard.type("help")
    press("Enter")
    button = chat.panel.get_by_role("button", name="Order")
    expect(button).to_be_visible()
    press("Shift+Tab")
    press("Shift+Tab")
    expect(button).to_be_focused()
    press("Enter")
    expect(chat.bubbles.last).to_have_text("You said: Order")
    expect(chat.input).to_be_focused()
    press("Escape")
    expect(chat.panel).to_be_hidden()
    expect(chat.launcher).to_be_focused()


def test_the_log_is_announced_but_its_history_is_not(chat: Chat) -> None:
    chat.say("hello")
    expect(chat.bubbles).to_have_count(2)
    expect(chat.log).to_have_attribute("aria-live", "polite")
    chat.page.reload()
    chat.page.evaluate(
        """() => { window.live = [];
        const log = document.querySelector('rapport-chat').shadowRoot.querySelector('.log');
        new MutationObserver(() => live.push(log.ariaLive)).observe(log, { childList: true }) }"""
    )
    chat.open()
    expect(chat.bubbles).to_have_count(2)
    assert set(chat.page.evaluate("live")) == {"off"}
    expect(chat.log).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(open_page: OpenPage, api: FakeApi, scheme: str, options: dict[str, Any]) -> None:
    chat = open_page(color_scheme=scheme, **options)
    assert_accessible(chat.page)
    fill(chat, api)
    assert_accessible(chat.page)
    api.fail("messages", 422)
    chat.say("refused")
    chat.panel.get_by_role("button", name="Try again").wait_for()
    chat.input.fill("x" * 4001)
    assert_accessible(chat.page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_demo_page(open_page: OpenPage, scheme: str) -> None:
    chat = open_page("/", color_scheme=scheme)
    expect(chat.page.locator(".product").first).to_be_visible()
    assert_accessible(chat.page)


def test_fills_a_phone_and_its_targets_are_large(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page(**PHONE)
    fill(chat, api)
    box = chat.panel.bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 320, 640)
    assert chat.log.evaluate("log => log.scrollWidth <= log.clientWidth")
    sizes = chat.panel.locator("button:visible, a.go").evaluate_all(
        "all => all.map((one) => [one.offsetWidth, one.offsetHeight])"
    )
    assert sizes and all(width >= 44 and height >= 44 for width, height in sizes), sizes
    chat.panel.get_by_role("button", name="Close chat").tap()
    expect(chat.panel).to_be_hidden()


def test_a_phone_lying_down_can_still_be_written_on(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page(viewport={"width": 640, "height": 320}, is_mobile=True, has_touch=True)
    fill(chat, api)
    expect(chat.input).to_be_in_viewport()
    assert chat.log.evaluate("log => log.clientHeight") > 120


def test_reading_above_is_not_interrupted(chat: Chat, api: FakeApi) -> None:
    chat.say("one")
    expect(chat.bubbles).to_have_count(2)
    for number in range(30):
        api.conversation.add("staff", f"message {number}")
    expect(chat.bubbles).to_have_count(32)
    chat.log.evaluate("log => { log.scrollTop = 0 }")
    api.conversation.add("staff", "the newest")
    newest = chat.panel.get_by_role("button", name="New messages")
    expect(newest).to_be_visible()
    assert chat.log.evaluate("log => log.scrollTop") == 0
    newest.click()
    expect(chat.bubbles.last).to_be_in_viewport()
    expect(newest).to_be_hidden()


def test_nothing_moves_for_who_does_not_want_it(open_page: OpenPage) -> None:
    chat = open_page(reduced_motion="reduce")
    chat.open()
    assert chat.panel.evaluate("panel => getComputedStyle(panel).animationName") == "none"


def test_takes_the_page_s_colours(open_page: OpenPage) -> None:
    chat = open_page()
    chat.page.evaluate(
        "document.querySelector('rapport-chat').style.setProperty('--rapport-accent', 'rgb(120, 0, 60)')"
    )
    assert chat.launcher.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(120, 0, 60)"


@pytest.mark.parametrize("language", WORDS)
def test_the_demo_page_speaks_four_languages(open_page: OpenPage, language: str) -> None:
    chat = open_page(f"/?lang={language}")
    expect(chat.page.locator("html")).to_have_attribute("lang", language)
    expect(chat.launcher).to_have_accessible_name(WORDS[language][0])
    expect(chat.page.locator(".product h3").first).to_contain_text(f"({language})")
    first = chat.page.locator(".product img").first
    assert first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 400
    chat.page.locator(".categories button").nth(2).click()
    expect(chat.page.locator(".product:visible")).to_have_count(2)
    chat.page.locator("#ask").click()
    expect(chat.panel).to_be_visible()
