"""The page of a conversation: what it shows, to whom, and what it keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select

from rapport.conversations.models import Conversation, Message
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.notes import service as notes
from rapport.notes.models import ConversationTag, Note
from rapport.staff.models import AuditEvent, Staff
from tests.console.client import readable
from tests.console.conftest import Logged
from tests.console.lives import EMAIL, NAME, PHONE, live
from tests.console.talks import talk

# Nothing of these may reach somebody in whose hands the customer is not.
PERSONAL = (
    "Lucía",
    "Lucia",
    "Moreno",
    EMAIL,
    "lucia.moreno",
    PHONE,
    PHONE[1:],
    "91234567",
    "Storgata",
    "FJ-SECRET77",
    "TRACK778899",
    "C-778899",
)


def path(conversation: str) -> str:
    return f"/console/conversations/{conversation}"


def events(database: Engine, action: str) -> list[AuditEvent]:
    with read_scope(database) as session:
        found = session.scalars(
            select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
        ).all()
        session.expunge_all()
        return list(found)


def staff_id(database: Engine, role: str) -> int:
    with read_scope(database) as session:
        return session.scalars(select(Staff.id).where(Staff.role == role)).one()


def test_transcript_tells_what_was_understood_and_done(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    page = log_in("manager").page(path(life.conversation))
    text = readable(page)
    assert f"I am Lucia Moreno, call {PHONE}" in text
    for shown in (
        "track_order · 41%",
        "nlu_fallback · 20%",
        "Not understood",
        "Unsure",
        "action_track_order",
        "31 ms",
        "utter_fallback",
        "Not delivered",
        "Español → English",
        "pressed",
        "Tent",
    ):
        assert shown in text, shown
    assert 'id="m5"' in page and 'data-last="6"' in page and "data-live" in page
    assert re.search(r'<mark class="entity" title="order_number: 20001">20001<', page)
    assert '<details class="understood">' in page
    assert '<details class="understood" open>' in log_in("admin").page(path(life.conversation), understood=1)


def test_customer_stands_beside_it(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    text = log_in("manager").text(path(life.conversation))
    for shown in (
        NAME,
        EMAIL,
        "✓ proven",
        "has shown who they are",
        "There is an open complaint.",
        "Torn when it arrived",
        "3 orders",
        "FJ-20001",
        "320",
        "until ",
        "2 messages a month",
        "shop form",
        "ents",
        "FJ-SECRET77",
        "15%",
        "They asked for it.",
        "The offer asks for 3 orders at least.",
        "Champions",
        "became part of this one",
    ):
        assert shown in text, shown


def test_without_complaint_nothing_warns(log_in: Logged, engine: Engine) -> None:
    life = live(engine, complains=False)
    assert "open complaint" not in log_in("manager").text(path(life.conversation))


def test_unknown_visitor_is_said_to_be_one(log_in: Logged, engine: Engine) -> None:
    text = log_in("agent").text(path(talk(engine, ("customer", "hi"))))
    assert "Nobody knows who this is." in text and "Somebody unknown" in text


def test_what_a_person_said_bears_their_name(log_in: Logged, engine: Engine) -> None:
    agent = log_in("agent")
    said = ("staff", "I will look into it", {"staff_id": staff_id(engine, "agent")})
    page = agent.page(path(talk(engine, ("customer", "help", {"content": {"notice": "voice"}}), said)))
    assert "<b>Ada Agent</b>" in page.partition('id="m2"')[2]
    assert "A voice message, which the bot cannot hear" in page


def test_agent_sees_nobody_until_it_is_theirs(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    agent = log_in("agent")
    with session_scope(engine) as session:
        session.add(
            Note(
                conversation_id=life.conversation,
                staff_id=staff_id(engine, "agent"),
                text=f"{NAME} wants a call at {PHONE}",
            )
        )
    pages = [
        agent.page(path(life.conversation)),
        agent.page(f"{path(life.conversation)}/messages", after=0),
        agent.page(f"/console/customers/{life.customer}"),
        agent.page("/console/customers", q=EMAIL).replace(f'value="{EMAIL}"', ""),
        agent.page("/console/customers", q="FJ-20001"),
    ]
    for number, page in enumerate(pages):
        leaked = [word for word in PERSONAL if word.lower() in unescape(page).lower()]
        assert leaked == [], f"page {number}"
    assert "please, I am •••, call •••" in readable(pages[0])
    assert "l•••@e•••.com" in pages[0]
    assert "in your hands" in readable(pages[0])

    agent.post(f"{path(life.conversation)}/assign", staff=staff_id(engine, "agent"))
    text = agent.text(path(life.conversation))
    assert NAME in text and EMAIL in text and "Storgata 5, 0155 Oslo" in text
    assert NAME in agent.text(f"/console/customers/{life.customer}")


def test_looks_are_kept_once_in_five_minutes(
    log_in: Logged, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = live(engine)
    agent = log_in("agent")
    for _ in range(3):
        agent.page(path(life.conversation))
        agent.page(f"{path(life.conversation)}/messages", after=6)
    looks = events(engine, "look")
    assert [(look.subject, look.subject_id, look.details) for look in looks] == [
        ("conversation", life.conversation, {"full": False, "customer": life.customer})
    ]
    # With more to see it is another look.
    agent.post(f"{path(life.conversation)}/assign", staff=staff_id(engine, "agent"))
    agent.page(path(life.conversation))
    assert [look.details["full"] for look in events(engine, "look")] == [False, True]
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    agent.page(path(life.conversation))
    assert len(events(engine, "look")) == 3


def test_long_conversation_comes_in_pages(log_in: Logged, engine: Engine) -> None:
    conversation = talk(engine, *(("customer" if n % 2 else "bot", f"number {n}.") for n in range(1, 451)))
    manager = log_in("manager")
    newest = manager.page(path(conversation))
    assert "number 450." in newest and "number 251." in newest and "number 250." not in newest
    assert "before=251" in newest
    older = manager.page(path(conversation), before=251)
    assert "number 250." in older and "number 51." in older and "number 251." not in older
    assert "data-live" not in older and "To the newest messages" in older
    found = manager.page(path(conversation), message=60)
    assert 'id="m60"' in found and "number 1." in found
    fresh = manager.page(f"{path(conversation)}/messages", after=448)
    assert re.findall(r'id="m(\d+)"', fresh) == ["449", "450"]
    assert manager.page(f"{path(conversation)}/messages", after=450).strip() == ""


def statements(database: Engine, read: Callable[[], object]) -> int:
    made: list[str] = []

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        made.append(statement)

    event.listen(database, "before_cursor_execute", count)
    try:
        read()
    finally:
        event.remove(database, "before_cursor_execute", count)
    return len(made)


def test_page_asks_the_same_however_long_it_is(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    manager = log_in("manager")
    manager.page(path(life.conversation))
    short = statements(engine, lambda: manager.page(path(life.conversation)))
    with session_scope(engine) as session:
        conversation = session.get_one(Conversation, life.conversation)
        for sequence in range(7, 150):
            session.add(
                Message(
                    conversation_id=life.conversation,
                    sequence=sequence,
                    author="customer" if sequence % 2 else "bot",
                    channel="whatsapp",
                    status="stored",
                    text=f"again {sequence}",
                )
            )
        conversation.last_sequence = 149
        author = staff_id(engine, "manager")
        for number in range(10):
            session.add(Note(conversation_id=life.conversation, staff_id=author, text=f"note {number}"))
            session.add(ConversationTag(conversation_id=life.conversation, tag=f"t{number}", staff_id=author))
    long = statements(engine, lambda: manager.page(path(life.conversation)))
    # A few come with time: whether the shop's facts have changed, who is logged in.
    assert abs(long - short) <= 4
    assert long <= 50


def test_notes_tags_and_assignee(log_in: Logged, engine: Engine) -> None:
    conversation = talk(engine, ("customer", "hi"))
    agent, manager = log_in("agent"), log_in("manager")
    agent.post(f"{path(conversation)}/notes", text="Call back on <b>Monday</b>")
    manager.post(f"{path(conversation)}/tags", tag="  #Late   Delivery ")
    manager.post(f"{path(conversation)}/tags", tag="late delivery")
    page = agent.page(path(conversation))
    assert "Call back on &lt;b&gt;Monday&lt;/b&gt;" in page and "Ada Agent" in page
    assert page.count("<span>late delivery</span>") == 1
    assert '<option value="late delivery">' in manager.page(path(talk(engine, ("customer", "other"))))

    with read_scope(engine) as session:
        note = session.scalars(select(Note.id)).one()
    assert manager.post(f"{path(conversation)}/notes/{note}", text="no").status_code == 403
    assert manager.post(f"{path(conversation)}/notes/{note}/delete").status_code == 403
    agent.post(f"{path(conversation)}/notes/{note}", text="On Tuesday")
    assert "On Tuesday" in agent.text(path(conversation)) and "changed" in agent.text(path(conversation))
    agent.post(f"{path(conversation)}/notes/{note}/delete")
    agent.post(f"{path(conversation)}/tags/remove", tag="late delivery")
    text = agent.text(path(conversation))
    assert "Tuesday" not in text
    other = talk(engine, ("customer", "x"))
    assert agent.post(f"{path(other)}/notes/{note}", text="gone").status_code == 404

    manager.post(f"{path(conversation)}/assign", staff=staff_id(engine, "agent"))
    with read_scope(engine) as session:
        assert session.get_one(Conversation, conversation).assigned_to == staff_id(engine, "agent")
    manager.post(f"{path(conversation)}/assign", staff="")
    with read_scope(engine) as session:
        assert session.get_one(Conversation, conversation).assigned_to is None
    kept = [
        one.action for one in _all_events(engine) if one.subject == "conversation" and one.action != "look"
    ]
    assert kept == [
        "add note",
        "add tag",
        "change note",
        "delete note",
        "remove tag",
        "assign",
        "assign",
    ]


def _all_events(database: Engine) -> list[AuditEvent]:
    with read_scope(database) as session:
        found = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        session.expunge_all()
        return list(found)


def test_what_is_hidden_in_ones_own_note_is_not_lost_by_changing_it(log_in: Logged, engine: Engine) -> None:
    conversation, agent = live(engine).conversation, log_in("agent")
    agent.post(f"{path(conversation)}/notes", text="Lucía Moreno wants a call.")
    changing = re.compile(r'<textarea name="text"[^>]*>([^<]+)</textarea>')
    hidden = agent.page(path(conversation))
    assert "Lucía Moreno" not in hidden
    assert changing.findall(hidden) == []
    agent.post(f"{path(conversation)}/assign", staff=staff_id(engine, "agent"))
    assert changing.findall(agent.page(path(conversation))) == ["Lucía Moreno wants a call."]


def test_mistakes_are_shown_with_what_was_typed(log_in: Logged, engine: Engine) -> None:
    conversation = talk(engine, ("customer", "hi"))
    agent = log_in("agent")
    long = agent.post(f"{path(conversation)}/notes", text="word " * 1000)
    assert long.status_code == 422 and "word word" in long.text
    address = agent.post(f"{path(conversation)}/tags", tag="ann@example.com")
    assert address.status_code == 422 and 'value="ann@example.com"' in address.text
    assert agent.post(f"{path(conversation)}/tags", tag="!!!").status_code == 422
    with session_scope(engine) as session:
        ada = staff_id(engine, "agent")
        for number in range(20):
            notes.add_tag(session, conversation, ada, f"tag {number}")
    many = agent.post(f"{path(conversation)}/tags", tag="one more")
    assert many.status_code == 422 and "A conversation has at most 20 tags." in many.text
    assert agent.post(f"{path(conversation)}/assign", staff="999999").status_code == 404
    assert agent.post(f"{path(conversation)}/assign", staff="x").status_code == 422
    assert agent.get(path("0" * 32)).status_code == 404
    assert agent.get(path("zz%00")).status_code == 422


def test_notes_and_tags_reach_no_customer(log_in: Logged, engine: Engine) -> None:
    """Neither the chat's API, nor its history, nor what goes to apps, has anything of them."""
    agent = log_in("agent")
    started = agent.http.post("/api/chat/sessions", json={"language": "en"}).json()
    conversation, headers = started["conversation_id"], {"Authorization": f"Bearer {started['token']}"}
    agent.post(f"{path(conversation)}/notes", text="TOP SECRET NOTE")
    agent.post(f"{path(conversation)}/tags", tag="topsecrettag")
    agent.post(f"{path(conversation)}/assign", staff=staff_id(engine, "agent"))
    said = agent.http.get("/api/chat/messages", headers=headers)
    assert said.status_code == 200 and said.json()["messages"] == []
    with read_scope(engine) as session:
        assert session.scalars(select(Message)).all() == []
        assert session.get_one(Conversation, conversation).last_sequence == 0
    # Nothing that talks to customers even knows the tables.
    for name in ("handoff", "channels", "api", "outreach"):
        for module in _modules(f"rapport/{name}"):
            assert "rapport.notes" not in module.read_text("utf-8"), module


def _modules(folder: str) -> list[Path]:
    return list((Path(__file__).parents[2] / folder).rglob("*.py"))
