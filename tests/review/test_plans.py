"""What the list of conversations asks is found by an index, on both databases, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations import repository as conversations
from rapport.conversations.models import Conversation, Message
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.review import service
from rapport.review.filters import Filters, Place
from rapport.review.service import Reader
from tests.plans import read_whole, statements

NOW = datetime(2026, 5, 3, tzinfo=UTC)
ONE = f"{7:032x}"
# Ratings are few: reading them all takes a few milliseconds.
TABLES = ("conversation", "message", "case", "customer", "customer_value", "identity", "order")


def page(**filters: object) -> Callable[[Session], object]:
    """The first page of these filters and one in the middle."""

    def ask(session: Session) -> None:
        wanted = Filters(**filters)  # type: ignore[arg-type]
        service.page(session, wanted, Reader(1), size=5)
        service.page(session, wanted, Reader(1), Place(NOW, ONE), size=5)
        service.count(session, wanted, Reader(1))

    return ask


def search(line: str, **filters: object) -> Callable[[Session], object]:
    wanted = Filters(q=line, **filters)  # type: ignore[arg-type]
    return lambda session: service.search(session, wanted, Reader(1), 150)


LOOKUPS: dict[str, Callable[[Session], object]] = {
    "all": page(),
    "channel": page(channel="sms"),
    "language and intent": page(language="es", intent="track_order"),
    "waiting": page(status="waiting"),
    "sureness": page(below=0.4, missed=True),
    "complaint": page(complaint=True),
    "rating": page(rating="low"),
    "segment": page(segment="champions"),
    "tag": page(tag="vip"),
    "mine": page(assignee="me"),
    "days": page(days=7),
    "customer": page(customer=3),
    "words": search("where ord"),
    "words and more": search('"my order"', status="waiting", complaint=True),
    "number": search("FJ-1"),
    "what is to be answered": lambda session: conversations.unanswered_conversations(session, NOW, 10),
    "the next message": lambda session: conversations.head(session, ONE),
}


@pytest.fixture(scope="module")
def filled(shared_engine: Engine) -> Engine:
    """Some hundred conversations, for tests that only look."""
    with session_scope(shared_engine) as session:
        for number in range(300):
            key = f"{number:032x}"
            session.add(Conversation(id=key, channel="web", language="en", last_sequence=1, updated_at=NOW))
            session.flush()
            status = "answered" if number % 50 else "received"
            session.add(
                Message(
                    conversation_id=key, sequence=1, author="customer", channel="web", status=status,
                    text="where is my order", at=NOW, provider_id=key,
                )
            )  # fmt: skip
            kind = "request" if number % 20 else "complaint"
            session.add(
                Case(kind=kind, conversation_id=key, message_key=key, text="x", language="en", due_at=NOW)
            )
    with session_scope(shared_engine) as session:
        session.execute(text("ANALYZE"))
    return shared_engine


@pytest.mark.parametrize("name", LOOKUPS)
def test_look_ups_use_indexes(filled: Engine, name: str) -> None:
    with clock.freeze(NOW), read_scope(filled) as session, statements(filled) as asked:
        LOOKUPS[name](session)
    assert asked
    for one in asked:
        assert set(read_whole(filled, one)).isdisjoint(TABLES), one[0]
