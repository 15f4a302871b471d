"""The widget and the things that go wrong between it and the server."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.web.conftest import Chat, OpenPage
from tests.web.fake_api import FakeApi


def exchange(*texts: str) -> list[str]:
    """What is shown after saying these one by one."""
    return [line for text in texts for line in (text, f"You said: {text}")]


def test_works_on_a_page_of_another_origin(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page(host="localhost")
    chat.open()
    chat.say("hello")
    chat.shows(*exchange("hello"))
    api.drop_streams()
    chat.say("still here?")
    chat.shows(*exchange("hello", "still here?"))
    chat.page.reload()
    chat.open()
    chat.shows(*exchange("hello", "still here?"))


def test_nothing_is_lost_or_doubled_when_the_stream_breaks(chat: Chat, api: FakeApi) -> None:
    chat.say("begin")
    chat.shows(*exchange("begin"))
    expected = exchange("begin")
    for number in range(30):
        api.conversation.add("staff", f"message {number}")
        expected.append(f"message {number}")
        if number % 6 == 0:
            api.drop_streams()
        time.sleep(0.05)
    chat.shows(*expected)
    chat.page.wait_for_timeout(1500)
    chat.shows(*expected)


def test_a_gap_in_the_stream_is_filled(chat: Chat, api: FakeApi) -> None:
    chat.say("begin")
    chat.shows(*exchange("begin"))
    # The stream continues after a message it left out; history has both.
    api.skipped = {3}
    api.conversation.add("staff", "left out")
    api.conversation.add("staff", "delivered")
    chat.shows(*exchange("begin"), "left out", "delivered")


def test_a_long_history_comes_in_pages(chat: Chat, api: FakeApi) -> None:
    chat.say("begin")
    chat.shows(*exchange("begin"))
    more = [f"message {number}" for number in range(25)]
    for text in more:
        api.conversation.add("staff", text)
    api.history_page = 4
    api.streaming = False
    chat.page.reload()
    chat.open()
    chat.shows(*exchange("begin"), *more)


def test_answers_come_without_a_stream(open_page: OpenPage, api: FakeApi) -> None:
    api.streaming = False
    chat = open_page()
    chat.open()
    chat.say("hello")
    chat.shows(*exchange("hello"))


def test_polls_where_streams_are_refused(chat: Chat, api: FakeApi) -> None:
    api.fail("events", *[502] * 100)
    chat.say("hello")
    chat.shows(*exchange("hello"))
    api.conversation.add("staff", "unasked")
    chat.shows(*exchange("hello"), "unasked")
    expect(chat.panel.locator(".notice")).to_be_hidden()


def test_a_lost_answer_does_not_double_the_message(chat: Chat, api: FakeApi) -> None:
    api.lose_answers = 2
    chat.say("once")
    chat.shows(*exchange("once"))
    chat.page.wait_for_timeout(2500)
    chat.shows(*exchange("once"))
    assert [m["text"] for m in api.conversation.messages] == exchange("once")


def test_sends_again_when_the_server_is_away_for_a_moment(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page(script="Math.random = () => 0")
    chat.open()
    api.fail("sessions", 503)
    api.fail("messages", 502, 503)
    chat.say("hello")
    chat.shows(*exchange("hello"))
    assert api.requests.count("POST messages") == 3


def test_messages_written_quickly_keep_their_order(chat: Chat, api: FakeApi) -> None:
    api.silent = True
    api.fail("messages", 503)
    texts = [f"line {number}" for number in range(8)]
    for text in texts:
        chat.say(text)
    chat.shows(*texts)
    expect(chat.log.locator(".fate")).to_have_count(0)
    assert [m["text"] for m in api.conversation.messages] == texts


def test_a_refused_message_is_marked_and_can_be_sent_again(chat: Chat, api: FakeApi) -> None:
    api.fail("messages", 422)
    chat.say("hello")
    expect(chat.log).to_contain_text("Not sent.")
    chat.say("later")
    chat.shows("later", "You said: later", "hello")  # what is not sent stays last
    chat.panel.get_by_role("button", name="Try again").click()
    chat.shows(*exchange("later", "hello"))
    expect(chat.log).not_to_contain_text("Not sent.")


def test_gives_up_after_some_tries(open_page: OpenPage, api: FakeApi) -> None:
    chat = open_page(script="Math.random = () => 0")
    chat.open()
    api.fail("messages", *[503] * 5)
    chat.say("hello")
    expect(chat.log).to_contain_text("Not sent.", timeout=20_000)
    assert api.requests.count("POST messages") == 5


def test_a_session_that_ended_is_replaced(chat: Chat, api: FakeApi) -> None:
    api.replies = {"help": [{"text": "About?", "buttons": [{"id": "b1", "title": "Points"}]}]}
    chat.say("help")
    chat.shows("help", "About?")
    api.conversations.clear()
    chat.panel.get_by_role("button", name="Points").click()
    chat.shows(*exchange("Points"))  # as text: the new conversation never had that button
    assert [m["text"] for m in api.conversation.messages] == exchange("Points")


def test_an_old_session_is_replaced_after_a_reload(chat: Chat, api: FakeApi) -> None:
    chat.say("one")
    chat.shows(*exchange("one"))
    api.conversations.clear()
    chat.page.reload()
    chat.open()
    expect(chat.bubbles).to_have_count(0)
    chat.say("two")
    chat.shows(*exchange("two"))


def test_an_expired_identity_token_leaves_an_unverified_chat(open_page: OpenPage, api: FakeApi) -> None:
    api.page["attributes"] = 'data-identity-token="expired"'
    api.fail("sessions", 401)
    chat = open_page()
    chat.open()
    chat.say("hello")
    chat.shows(*exchange("hello"))
    assert api.conversation.identity_token is None


def test_waits_when_asked_for_patience(chat: Chat, api: FakeApi) -> None:
    api.fail("messages", 429, retry_after="2")
    chat.say("hello")
    notice = chat.panel.locator(".notice")
    expect(notice).to_have_text("Please wait. Your message is sent in 2 s.")
    chat.page.wait_for_timeout(1000)
    assert api.requests.count("POST messages") == 1
    chat.shows(*exchange("hello"))
    expect(notice).to_be_hidden()


def test_offline_it_says_so_and_sends_later(chat: Chat, api: FakeApi) -> None:
    chat.say("one")
    chat.shows(*exchange("one"))
    chat.page.context.set_offline(True)
    notice = chat.panel.locator(".notice")
    expect(notice).to_have_text("You are offline. Messages will be sent later.")
    chat.say("two")
    chat.say("three")
    expect(chat.log.locator(".fate.sending")).to_have_count(2)
    chat.page.context.set_offline(False)
    expect(notice).to_be_hidden()
    expect(chat.bubbles).to_have_count(6)
    said = [m["text"] for m in api.conversation.messages if m["author"] == "customer"]
    assert said == ["one", "two", "three"]


def test_two_tabs_share_the_conversation(chat: Chat, api: FakeApi, open_page: OpenPage) -> None:
    chat.say("first tab")
    chat.shows(*exchange("first tab"))
    other = open_page(context=chat.page.context)
    other.open()
    other.say("second tab")
    for tab in (chat, other):
        tab.shows(*exchange("first tab", "second tab"))
    assert len(api.conversations) == 1


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no') } })",
        "Storage.prototype.setItem = () => { throw new DOMException('full') }",
        "delete Crypto.prototype.randomUUID",
    ],
    ids=["no storage", "full storage", "plain http"],
)
def test_works_in_poor_browsers(open_page: OpenPage, script: str) -> None:
    chat = open_page(script=script)
    chat.open()
    chat.say("hello")
    chat.say("again")
    expect(chat.bubbles).to_have_count(4)
