"""Stepping in through the console: without a browser on both databases, and with two browsers at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, select

from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.handoff import service as handoff
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.replies import service as replies
from rapport.staff.models import AuditEvent
from tests.browser import assert_accessible
from tests.console.client import StaffClient
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import somebody, talk
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp, until
from tests.web.conftest import Chat

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
HOSTILE = '<img src=x onerror="document.title=1">'


def wait(engine: Engine, conversation_id: str) -> None:
    with session_scope(engine) as session:
        conversation = session.get_one(Conversation, conversation_id)
        assert conversations.hand_over(session, conversation, "asked for a person", conversation_id)


def waiting(engine: Engine, *lines: Any, **columns: Any) -> str:
    conversation_id = talk(engine, *(lines or (("customer", "I want a person"),)), **columns)
    wait(engine, conversation_id)
    return conversation_id


def actions(engine: Engine, conversation_id: str) -> list[str]:
    with read_scope(engine) as session:
        query = select(AuditEvent.action).where(AuditEvent.subject_id == conversation_id)
        return list(session.scalars(query.order_by(AuditEvent.id)))


def test_the_queue_says_why_and_one_click_takes_over(engine: Engine, log_in: Logged) -> None:
    ana = somebody(engine)
    with clock.freeze(NOON):
        asked = ("customer", "my tent leaks", {"intent": "complaint"})
        conversation_id = waiting(engine, asked, ("customer", f"ana@example.com {HOSTILE}"), customer_id=ana)
    with clock.freeze(NOON + timedelta(minutes=7)):
        agent = log_in("agent")
        page = agent.text("/console/waiting")
        assert "7 7 for the minutes waited" in page
        assert "Ana Pop" not in page
        assert "ana@example.com" not in page
        assert "Complains" in page
        assert HOSTILE not in agent.page("/console/waiting")
        agent.post(f"/console/conversations/{conversation_id}/take")
        assert "You have this conversation" in agent.text(f"/console/conversations/{conversation_id}")
        assert "Ana Pop" in agent.text("/console/waiting")
    assert actions(engine, conversation_id)[0] == "take over"


def test_the_second_is_told_who_was_faster_and_may_not_answer(engine: Engine, log_in: Logged) -> None:
    conversation_id = waiting(engine)
    at = f"/console/conversations/{conversation_id}"
    agent, manager = log_in("agent"), log_in("manager")
    agent.post(f"{at}/take")
    assert "Ada Agent was faster" in manager.post(f"{at}/take").text
    refused = manager.post(f"{at}/answer", text="Hello <b>you</b>")
    assert refused.status_code == 409
    assert "Ada Agent has this conversation now." in refused.text
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in refused.text
    assert manager.post(f"{at}/take", instead_of=agent_id(engine)).status_code == 200
    assert "Mia Manager has this conversation now." in agent.post(f"{at}/release").text
    assert manager.post(f"{at}/answer", text=" ").status_code == 422


def agent_id(engine: Engine) -> int:
    with read_scope(engine) as session:
        found = session.scalar(select(AuditEvent.staff_id).where(AuditEvent.action == "take over"))
    assert found is not None
    return found


def test_canned_replies_are_in_the_customers_language_and_filled_in(engine: Engine, log_in: Logged) -> None:
    ana = somebody(engine)
    conversation_id = waiting(engine, language="es", customer_id=ana)
    with session_scope(engine) as session:
        replies.create(session, "Hello", "hello", {"en": "Hi {name}", "es": "Hola {name}: pedido {order}"})
        replies.create(session, "English only", "english", {"en": "Only English"})
    agent = log_in("agent")
    at = f"/console/conversations/{conversation_id}"
    agent.post(f"{at}/take")
    page = agent.page(at)
    assert "Hola Ana: pedido {order}" in page
    assert "to fill in: order" in page
    assert "Only English" not in page


@pytest.mark.parametrize("step", ["take", "answer", "hand-back", "release", "pass-on", "dismiss"])
def test_nobody_steps_in_without_the_pages_token(engine: Engine, log_in: Logged, step: str) -> None:
    conversation_id = waiting(engine)
    agent = log_in("agent")
    agent.csrf = "0" * 64
    assert agent.post(f"/console/conversations/{conversation_id}/{step}", text="x").status_code == 403
    assert [*actions(engine, conversation_id)] == []


def test_passing_on_releasing_and_dismissing(engine: Engine, log_in: Logged) -> None:
    conversation_id = waiting(engine)
    at = f"/console/conversations/{conversation_id}"
    agent, manager = log_in("agent"), log_in("manager")
    agent.post(f"{at}/take")
    assert agent.post(f"{at}/pass-on", to="x").status_code == 422
    colleague = re.search(r'<option value="(\d+)">Mia Manager</option></select>', agent.page(at))
    assert colleague
    assert "Mia Manager has it now." in agent.post(f"{at}/pass-on", to=colleague[1]).text
    assert "It waits for a colleague now." in manager.post(f"{at}/release").text
    assert "The bot goes on." in agent.post(f"{at}/dismiss").text
    assert agent.post(f"{at}/dismiss").status_code == 409
    wanted = ["take over", "pass on", "release", "dismiss"]
    assert [action for action in actions(engine, conversation_id) if action in wanted] == wanted
    assert isinstance(manager, StaffClient)


# --- in browsers --------------------------------------------------------------------------------------------

# Keeps what is heard and shown outside the page. Without a screen a page is always in view.
RECORD = """
window.told = []; window.away = false;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) {
  if (this.context.state === "running") told.push("tone");
  return start.apply(this, when);
};
window.Notification = new Proxy(Notification, {
  construct(made, words) { told.push(words[0]); return Reflect.construct(made, words); },
});
Object.defineProperty(document, "hidden", { get: () => window.away });
"""
# No page waits to tell it, or has just done so.
QUIET = """async () => {
  const { held, pending } = await navigator.locks.query();
  return [...held, ...pending].every((lock) => lock.name === "rapport-live");
}"""


def follows(page: Page) -> None:
    until(lambda: page.evaluate("sessionStorage.getItem('rapport-seen')"), what="for the first state")


def alarms_are_told_once_and_only_when_wanted(page: Page, engine: Engine) -> None:
    """With two pages of one browser; in the end nobody waits."""
    page.context.add_init_script(RECORD)
    page.context.grant_permissions(["notifications"])
    page.reload()
    second = page.context.new_page()
    second.goto(page.url)
    pages = (page, second)
    for one in pages:
        follows(one)

    def told() -> list[str]:
        conversation_id = waiting(engine)
        for one in pages:
            expect(one.locator('[data-count="bell"]')).to_have_text("1")
        page.wait_for_timeout(400)  # a page that is not in view has begun as well
        until(lambda: page.evaluate(QUIET), what="for the pages to be quiet")
        found = [said for one in pages for said in one.evaluate("told.splice(0)")]
        with session_scope(engine) as session:
            handoff.dismiss(session, session.get_one(Conversation, conversation_id))
        for one in pages:
            expect(one.locator('[data-count="bell"]')).to_be_hidden()
        return found

    assert told() == [], "nobody wants it"
    second.get_by_label("Sound when somebody waits").check()
    second.wait_for_function("told.length == 2")  # how it sounds
    second.evaluate("told = []")
    second.get_by_label("Desktop notification").check()
    page.evaluate("away = true")
    assert told() == ["tone", "tone"], "by the page that was clicked in, and it is in view"
    second.evaluate("away = true")
    expect(page.get_by_label("Sound when somebody waits")).to_be_checked()
    page.get_by_label("Sound when somebody waits").uncheck()
    assert told() == ["Somebody waits for a person."]
    second.close()


def test_take_over_answer_and_hand_back_with_the_customers_widget_beside(
    running: RunningApp, browser: Browser, open_page: OpenPage, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    context = browser.new_context(locale="en-GB")
    chat = Chat(context.new_page())
    chat.page.goto(running.url)
    chat.open()
    chat.say("where is my parcel")
    expect(chat.bubbles).to_have_count(2)
    with read_scope(sqlite_engine) as session:
        conversation_id = session.scalars(select(Conversation.id)).one()
    page = open_page("agent", "/console/waiting")
    follows(page)
    alarms_are_told_once_and_only_when_wanted(page, sqlite_engine)
    wait(sqlite_engine, conversation_id)
    # Told without asking: the number, the title, a notice with a link, and the page itself.
    expect(page.locator('[data-count="bell"]')).to_have_text("1")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    expect(page.locator("#alerts")).to_contain_text("Somebody waits")
    assert_accessible(page)
    page.click("#queue button.primary")
    page.fill("#say textarea", "Hello, Ada here. Is it green?")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#say textarea")).to_have_value("")
    expect(page.locator("#transcript")).to_contain_text("Hello, Ada here.")
    expect(chat.bubbles.nth(2)).to_have_text("Hello, Ada here. Is it green?")
    expect(chat.panel).to_contain_text("You are talking with a person")
    chat.say(f"yes, it is {HOSTILE}")
    chat.say("and when does it come?")
    expect(page.locator("#transcript")).to_contain_text("and when does it come?")
    expect(page.locator("#transcript")).to_contain_text(HOSTILE)
    assert_accessible(page)
    assert rasa.texts(conversation_id) == ["where is my parcel"]
    page.reload()
    page.click("text=Hand back to the bot")
    expect(chat.bubbles.last).to_have_text("echo: and when does it come?")
    expect(page.locator("#transcript")).to_contain_text("echo: and when does it come?")
    told = [(message["author"], message["text"]) for message in rasa.told[conversation_id]]
    assert told == [
        ("staff", "Hello, Ada here. Is it green?"),
        ("customer", f"yes, it is {HOSTILE}"),
    ]
    expect(page.locator('[data-count="bell"]')).to_be_hidden()
    context.close()


@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_the_pages_on_a_phone_and_a_desk(
    open_page: OpenPage, sqlite_engine: Engine, width: int, dark: bool
) -> None:
    ana = somebody(sqlite_engine, name="Ana Pop-Ionescu de la Măgura")
    with session_scope(sqlite_engine) as session:
        replies.create(session, "Hello", "hi", {"en": "Hello, {name}! About {order}:"})
    conversation_id = waiting(sqlite_engine, ("customer", "x" * 400), customer_id=ana)
    page = open_page("manager", "/console/waiting", width=width, dark=dark)
    page.click("summary")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("#queue button.primary")
    expect(page.locator("#say")).to_be_visible()
    page.click(".canned summary")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # A canned reply by its short word; what is still open in it is selected.
    page.locator("#say textarea").press_sequentially("/hi ")
    expect(page.locator("#say textarea")).to_have_value("Hello, Ana! About {order}:")
    assert page.evaluate("String(getSelection())") in {"{order}", ""}
    # A draft outlives the page.
    page.goto(page.url.split("#")[0].replace(f"/{conversation_id}", "").replace("conversations", "waiting"))
    page.goto(page.url.replace("waiting", f"conversations/{conversation_id}"))
    expect(page.locator("#say textarea")).to_have_value("Hello, Ana! About {order}:")
