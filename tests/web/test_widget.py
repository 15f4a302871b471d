"""The widget in a real browser: what a visitor sees and does."""

from __future__ import annotations

import gzip

import jwt
import pytest
from playwright.sync_api import expect

from tests.web.conftest import Chat, OpenPage
from tests.web.fake_api import WEB, FakeApi

ATTACK = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
ORDERS = {
    "type": "orders",
    "orders": [{"number": "FJ-1042", "placed": "2026-03-03", "total": "1 249,00 kr", "status": "shipped"}],
}
COUPON = {"type": "coupon", "code": "FJORD-7K2Q", "percent": 15, "expires": "2026-12-24"}
PRODUCT = {
    "type": "product",
    "sku": "TENT-1",
    "name": "Storr tent",
    "price": "3 499,00 kr",
    "image": "/demo/images/tents.svg",
    "url": "/#TENT-1",
}
BUTTONS = {
    "text": "About what?",
    "buttons": [{"id": "b1", "title": "Order"}, {"id": "b2", "title": "Points"}],
}


def test_is_at_most_15_kb_gzipped() -> None:
    assert len(gzip.compress((WEB / "widget.js").read_bytes(), 9)) <= 15_000


def test_never_parses_markup() -> None:
    script = (WEB / "widget.js").read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
        assert way not in script


def test_asks_and_stores_nothing_before_it_is_opened(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page()
    chat.page.wait_for_timeout(500)
    assert api.requests == []
    assert chat.page.context.storage_state() == {"cookies": [], "origins": []}
    chat.open()
    chat.page.wait_for_timeout(300)
    assert api.conversations == {}  # who only looks leaves no trace


def test_sends_and_shows_the_answer(chat: Chat, api: FakeApi) -> None:
    chat.say("Hello there")
    chat.shows("Hello there", "You said: Hello there")
    expect(chat.input).to_have_value("")
    state = chat.page.context.storage_state()
    assert state["cookies"] == []
    assert [item["name"] for item in state["origins"][0]["localStorage"]] == ["rapport-chat"]
    assert len(api.conversation.messages) == 2


def test_starters_are_said_and_go_away(chat: Chat) -> None:
    chat.panel.get_by_role("button", name="Where is my order?").click()
    chat.shows("Where is my order?", "You said: Where is my order?")
    expect(chat.panel.get_by_role("button", name="Where is my order?")).to_have_count(0)


def test_shift_enter_is_a_new_line(chat: Chat, api: FakeApi) -> None:
    chat.input.press_sequentially("one")
    chat.input.press("Shift+Enter")
    chat.input.press_sequentially("two")
    chat.input.press("Enter")
    chat.shows("one\ntwo", "You said: one\ntwo")
    assert api.conversation.messages[0]["text"] == "one\ntwo"


def test_blank_text_is_not_sent(chat: Chat, api: FakeApi) -> None:
    chat.say("  \n ")
    chat.page.wait_for_timeout(200)
    assert api.requests == []


def test_says_when_a_text_is_too_long(chat: Chat, api: FakeApi) -> None:
    chat.say("🙂" * 4001)
    expect(
        chat.panel.get_by_text("4,001 of 4,000 characters. Please shorten your message.").first
    ).to_be_visible()
    assert api.requests == []
    chat.say("🙂" * 4000)
    expect(chat.bubbles).to_have_count(2)


def test_buttons_work_once(chat: Chat, api: FakeApi) -> None:
    api.replies = {"help": [BUTTONS], "Points": [{"text": "You have 120 points."}]}
    chat.say("help")
    chat.panel.get_by_role("button", name="Points").click()
    chat.shows("help", "About what?", "Points", "You have 120 points.")
    for name in ("Order", "Points"):
        expect(chat.panel.get_by_role("button", name=name)).to_be_disabled()
    chat.page.reload()
    chat.open()
    chat.shows("help", "About what?", "Points", "You have 120 points.")
    expect(chat.panel.get_by_role("button", name="Points")).to_be_disabled()
    expect(chat.panel.locator(".chosen")).to_have_text("Points")


def test_orders_card(chat: Chat, api: FakeApi) -> None:
    api.replies = {"orders": [{"text": "Here they are.", "card": ORDERS}]}
    chat.say("orders")
    expect(chat.log.get_by_role("listitem")).to_have_text("FJ-10421 249,00 kr3 Mar 2026On its way")


def test_coupon_card_copies_its_code(chat: Chat, api: FakeApi) -> None:
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    api.replies = {"discount": [{"text": "For you:", "card": COUPON}]}
    chat.say("discount")
    expect(chat.log).to_contain_text("15% off")
    expect(chat.log).to_contain_text("Valid until 24 Dec 2026")
    chat.panel.get_by_role("button", name="Copy code").click()
    expect(chat.panel.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "FJORD-7K2Q"


def test_product_card(chat: Chat, api: FakeApi) -> None:
    api.replies = {"tent": [{"text": None, "card": PRODUCT}]}
    chat.say("tent")
    expect(chat.log).to_contain_text("3 499,00 kr")
    image = chat.log.locator("img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 400
    assert (
        chat.panel.get_by_role("link", name="View product: Storr tent")
        .evaluate("a => a.href")
        .endswith("/#TENT-1")
    )


def test_a_picture_that_does_not_load_leaves_no_hole(chat: Chat, api: FakeApi) -> None:
    api.replies = {
        "tent": [{"text": "This:", "image": "/none.png", "card": PRODUCT | {"image": "/none.svg"}}]
    }
    chat.say("tent")
    expect(chat.log).to_contain_text("Storr tent")
    expect(chat.log.locator("img")).to_have_count(0)


def test_the_same_customer_finds_the_chat_with_a_new_token(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page()
    for issued in (1, 2):
        api.page["attributes"] = (
            f'data-identity-token="{identity_token("åse@example.com", name="Åse", iat=issued)}"'
        )
        chat.page.reload()
        chat.open()
        chat.say("hello")
        expect(chat.bubbles).to_have_count(2 * issued)
    assert len(api.conversations) == 1


def test_markup_is_shown_as_text(chat: Chat, api: FakeApi) -> None:
    evil = "javascript:document.title='hacked'"
    api.replies = {
        ATTACK: [
            {"text": ATTACK, "image": evil, "buttons": [{"id": "b1", "title": ATTACK}]},
            {"text": evil, "card": PRODUCT | {"name": ATTACK, "image": evil, "url": evil}},
            {"text": "card", "card": COUPON | {"code": ATTACK, "percent": ATTACK, "expires": ATTACK}},
            {"text": "link https://example.com/?a=<b>.", "card": {"type": "unknown"}},
        ]
    }
    chat.say(ATTACK)
    chat.shows(ATTACK, ATTACK, evil, "card", "link https://example.com/?a=<b>.")
    expect(chat.log.locator("img, script")).to_have_count(0)
    assert chat.log.get_by_role("link").evaluate_all("links => links.map((a) => a.href)") == [
        "https://example.com/?a="
    ]
    assert chat.page.title() == "A shop"


def test_reload_keeps_the_history(chat: Chat, api: FakeApi) -> None:
    chat.say("one")
    chat.shows("one", "You said: one")
    api.conversation.messages[0]["at"] = "2025-06-01T10:00:00+00:00"
    chat.page.reload()
    expect(chat.panel).to_be_hidden()
    chat.open()
    chat.shows("one", "You said: one")
    expect(chat.log.locator(".day")).to_have_text(["Sunday 1 June", "today"])
    chat.say("two")
    chat.shows("one", "You said: one", "two", "You said: two")


def test_a_message_that_comes_while_closed_is_counted(chat: Chat, api: FakeApi) -> None:
    chat.say("hello")
    chat.shows("hello", "You said: hello")
    chat.input.press("Escape")
    api.conversation.add("staff", "Hi, Kari here.")
    expect(chat.page.get_by_role("button", name="Open chat. New messages: 1")).to_be_visible()
    chat.open()
    chat.shows("hello", "You said: hello", "Hi, Kari here.")
    chat.input.press("Escape")
    expect(chat.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()


def test_says_who_answers(chat: Chat, api: FakeApi) -> None:
    api.replies = {"person": [{"text": "I have asked for one.", "status": "waiting"}]}
    state = chat.panel.locator(".state")
    expect(state).to_have_text("Digital assistant")
    chat.say("person")
    expect(state).to_have_text("Waiting for a person to join")
    api.conversation.status = "human"
    api.conversation.add("staff", "Hi, Kari here.")
    expect(state).to_have_text("You are talking with a person")
    expect(chat.log.locator(".staff .mark")).to_have_text("Customer service")
    chat.page.reload()
    chat.open()
    expect(state).to_have_text("You are talking with a person")


def test_shows_that_an_answer_is_being_written(chat: Chat, api: FakeApi) -> None:
    api.silent = True
    chat.say("hello")
    expect(chat.panel.locator(".typing")).to_be_visible()
    api.conversation.add("bot", "Hello!")
    expect(chat.panel.locator(".typing")).to_be_hidden()


def test_the_page_can_open_and_close_it_and_hears_of_it(open_page: OpenPage) -> None:
    chat = open_page()
    chat.page.evaluate(
        """() => { window.heard = [];
        for (const n of ["open", "close", "message", "language"])
          document.addEventListener(`rapport-${n}`, ({ detail }) => heard.push([n, detail?.author])) }"""
    )
    chat.page.evaluate("document.querySelector('rapport-chat').open()")
    chat.say("hello")
    chat.shows("hello", "You said: hello")
    chat.page.evaluate("document.querySelector('rapport-chat').close()")
    expect(chat.panel).to_be_hidden()
    chat.page.evaluate("document.querySelector('rapport-chat').setAttribute('open', '')")
    expect(chat.panel).to_be_visible()
    heard = chat.page.evaluate("heard")
    assert heard == [
        ["open", None],
        ["message", "customer"],
        ["message", "bot"],
        ["close", None],
        ["open", None],
    ]


def identity_token(email: str, **claims: object) -> str:
    """A token as a host site would sign it; the widget only reads who it is for."""
    return jwt.encode({"email": email, **claims}, "a secret of the host site, long enough", algorithm="HS256")


@pytest.mark.parametrize("token", ["not-a-jwt", identity_token("anne@example.com")])
def test_another_customer_does_not_find_the_chat(open_page: OpenPage, api: FakeApi, token: str) -> None:
    api.page["attributes"] = f'data-identity-token="{token}"'
    chat = open_page()
    chat.open()
    chat.say("my order")
    expect(chat.bubbles).to_have_count(2)
    assert api.conversation.identity_token == token
    chat.page.reload()
    chat.open()
    expect(chat.bubbles).to_have_count(2)
    for attributes in (f'data-identity-token="{identity_token("per@example.com")}"', ""):
        api.page["attributes"] = attributes
        chat.page.reload()
        chat.open()
        chat.page.wait_for_timeout(300)
        expect(chat.bubbles).to_have_count(0)
