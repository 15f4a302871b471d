"""Conversations as others use them, on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.base import InboundMessage
from rapport.conversations import service
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError, UnauthorizedError


@pytest.fixture
def conversation(session: Session) -> Conversation:
    return service.start(session, "web", "nb", token_hash="h" * 64)


def test_finding_one(session: Session, conversation: Conversation) -> None:
    assert service.get(session, conversation.id) is conversation
    assert service.by_token_hash(session, "h" * 64) is conversation
    with pytest.raises(NotFoundError):
        service.get(session, "0" * 32)
    with pytest.raises(UnauthorizedError):
        service.by_token_hash(session, "x" * 64)


def test_receiving_counts_up_and_knows_repeats(session: Session, conversation: Conversation) -> None:
    first, created = service.receive(session, conversation, InboundMessage("web", "p1", "hi"))
    assert (first.sequence, first.status, created) == (1, "received", True)
    again, created = service.receive(session, conversation, InboundMessage("web", "p1", "hi"))
    assert (again.id, created) == (first.id, False)
    with pytest.raises(ConflictError):
        service.receive(session, conversation, InboundMessage("web", "p1", "other"))
    second, _ = service.receive(session, conversation, InboundMessage("web", "p2", "hi", "/greet"))
    assert (second.sequence, second.payload) == (2, "/greet")


def test_the_same_message_from_many_threads_is_stored_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        conversation_id = service.start(session, "web", "en").id
    results: list[tuple[int, bool]] = []

    def receive(number: int) -> None:
        with session_scope(engine) as session:
            conversation = service.get(session, conversation_id)
            inbound = InboundMessage("web", f"p{number % 3}", "hi")
            message, created = service.receive(session, conversation, inbound)
            results.append((message.id, created))

    threads = [threading.Thread(target=receive, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 24
    assert len({message_id for message_id, _ in results}) == 3
    assert [created for _, created in results].count(True) == 3
    with session_scope(engine) as session:
        assert sorted(session.scalars(select(Message.sequence))) == [1, 2, 3]
        assert service.get(session, conversation_id).last_sequence == 3


def test_a_chosen_language(session: Session, conversation: Conversation) -> None:
    service.set_language(session, conversation, "es-MX")
    assert (conversation.language, conversation.language_chosen) == ("es", True)
    with pytest.raises(InvalidInputError):
        service.set_language(session, conversation, "de")


def test_handing_over_once(session: Session, conversation: Conversation) -> None:
    assert service.hand_over(session, conversation, "asked", "k:1") is True
    assert conversation.status == "waiting"
    assert service.hand_over(session, conversation, "asked", "k:1") is True  # the same turn, repeated
    assert service.hand_over(session, conversation, "asked", "k:2") is False
    assert session.scalar(select(func.count()).select_from(Handoff)) == 1


def test_a_case_is_opened_once_per_message(session: Session, conversation: Conversation) -> None:
    first = service.open_case(session, conversation, "complaint", "broken", "k:1")
    assert service.open_case(session, conversation, "complaint", "broken", "k:1") is first
    other = service.open_case(session, conversation, "complaint", "late", "k:2")
    assert other.id != first.id
    assert (first.language, first.customer_id, first.status) == ("nb", None, "open")
    assert session.scalar(select(func.count()).select_from(Case)) == 2


@pytest.mark.parametrize("pressed", ["", "b1", ":b1", "x:b1", "1:", "²:b1", "-1:b1", "9999999999:b1"])
def test_senseless_buttons(session: Session, conversation: Conversation, pressed: str) -> None:
    with pytest.raises(InvalidInputError):
        service.button(session, conversation, pressed)


def test_a_customer_offers_no_buttons(session: Session, conversation: Conversation) -> None:
    message, _ = service.receive(session, conversation, InboundMessage("web", "p1", "hi"))
    message.content = {"buttons": [{"id": "b1", "title": "x", "payload": "/restart"}]}
    session.flush()
    with pytest.raises(NotFoundError):
        service.button(session, conversation, "1:b1")
