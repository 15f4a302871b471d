"""What staff say about messages and answers on the page of a conversation."""

from __future__ import annotations

from sqlalchemy import Engine, select

from rapport.conversations.models import Message
from rapport.kit.database import read_scope
from rapport.staff.models import AuditEvent
from rapport.teaching.models import Annotation
from tests.console.client import StaffClient
from tests.console.conftest import Logged
from tests.console.talks import somebody, talk


def marks(engine: Engine) -> list[tuple[str, str, str, str]]:
    with read_scope(engine) as session:
        query = select(Annotation).order_by(Annotation.id)
        return [(mark.kind, mark.value, mark.words, mark.status) for mark in session.scalars(query)]


def ids(engine: Engine, conversation: str) -> list[int]:
    with read_scope(engine) as session:
        query = select(Message.id).where(Message.conversation_id == conversation).order_by(Message.sequence)
        return list(session.scalars(query))


def mark(agent: StaffClient, conversation: str, message: int, what: str, **fields: str) -> int:
    path = f"/console/conversations/{conversation}/mark/{message}/{what}"
    agent.http.follow_redirects = False
    return agent.post(path, **fields).status_code


def test_marks_are_kept_without_personal_data_replaced_and_taken_back(engine: Engine, log_in: Logged) -> None:
    agent = log_in("agent")
    customer = somebody(engine, "Ana Pop")
    said = "Ana here, when comes the sovesekk of FJ-99871? ana.pop@firma.ro"
    conversation = talk(
        engine, ("customer", said, {"intent": "greet"}), ("bot", "Hello!"), customer_id=customer
    )
    asked, answered = ids(engine, conversation)
    assert mark(agent, conversation, asked, "intent", intent="Asks how long delivery takes") == 303
    assert mark(agent, conversation, asked, "intent", intent="track_order") == 303
    assert mark(agent, conversation, asked, "entity", value="category=sleeping_bags", words="Sovesekk") == 303
    assert mark(agent, conversation, answered, "answer", value="bad", reason="ana.pop@firma.ro waits") == 303
    found = marks(engine)
    assert [one[:2] for one in found] == [
        ("intent", "track_order"),
        ("entity", "category=sleeping_bags"),
        ("answer", "bad"),
    ]
    words = found[0][2]
    assert "when comes the sovesekk of FJ-12345" in words
    assert "Ana" not in words
    assert "firma" not in words + found[2][2]
    assert found[1][2:] == ("sovesekk", "proposed")
    with read_scope(engine) as session:
        first = session.scalars(select(Annotation.id).order_by(Annotation.id)).first()
    assert mark(agent, conversation, answered, f"undo/{first}") == 404, "of another message"
    assert mark(agent, conversation, asked, f"undo/{first}") == 303
    assert [one[0] for one in marks(engine)] == ["entity", "answer"]
    with read_scope(engine) as session:
        noted = session.scalars(select(AuditEvent).where(AuditEvent.subject_id == conversation)).all()
        assert len(noted) == 5
        assert "firma" not in str([event.details for event in noted])


def test_what_cannot_be_marked(engine: Engine, log_in: Logged) -> None:
    agent = log_in("agent")
    conversation = talk(engine, ("customer", "hello"), ("bot", "Hello!"))
    other = talk(engine, ("customer", "hello"))
    asked, answered = ids(engine, conversation)
    assert mark(agent, other, asked, "intent", intent="greet") == 404
    assert mark(agent, conversation, answered, "intent", intent="greet") == 404
    assert mark(agent, conversation, asked, "answer", value="good") == 404
    for fields in ({"intent": "nonsense"}, {"intent": "nlu_fallback"}, {"intent": ""}):
        assert mark(agent, conversation, asked, "intent", **fields) == 303
    assert mark(agent, conversation, asked, "entity", value="category=tents", words="not said") == 303
    assert mark(agent, conversation, asked, "entity", value="category=planes", words="hello") == 303
    assert marks(engine) == []


def test_trying_words_tells_nothing_of_what_is_hidden(engine: Engine, log_in: Logged) -> None:
    agent = log_in("agent")
    customer = somebody(engine, "Zoë Pop")
    said = "zoe of Storgata 5, Oslo\ncall 412 34 567 about my sovesekk"
    conversation = talk(engine, ("customer", said), customer_id=customer)
    [asked] = ids(engine, conversation)
    for words in ("zoe", "storgata", "41", "412", "67"):
        assert mark(agent, conversation, asked, "entity", value="category=sleeping_bags", words=words) == 303
        assert marks(engine) == [], words
    assert mark(agent, conversation, asked, "entity", value="category=sleeping_bags", words="sovesekk") == 303
    assert len(marks(engine)) == 1
