"""All queries on conversations that a person is wanted for, or has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.rules import is_stop
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.value.models import CustomerValue

# What was said so long before somebody asked for a person is likely to be why.
BEFORE_ASKING = timedelta(minutes=30)
# Messages among which the customer's last word is looked for.
LATEST = 20


def open_handoff(session: Session, conversation_id: str) -> Handoff | None:
    """The wish for a person that is not settled yet."""
    query = select(Handoff).where(Handoff.conversation_id == conversation_id, Handoff.closed_at.is_(None))
    return session.scalar(query, execution_options={"populate_existing": True})


def locked_status(session: Session, conversation: Conversation) -> str:
    """The conversation's status, with its lock until the transaction ends."""
    session.refresh(conversation, ["status", "assigned_to", "language"], with_for_update=True)
    return conversation.status


def last_said_by_staff(session: Session, conversation_id: str) -> int:
    """The sequence number of the last thing a person said; 0 when nobody did."""
    query = select(func.max(Message.sequence)).where(
        Message.conversation_id == conversation_id, Message.author == "staff"
    )
    return session.scalar(query) or 0


def kept_since(session: Session, conversation_id: str, sequence: int) -> list[Message]:
    """What the customer said to a person after that sequence number, in order."""
    query = select(Message).where(
        Message.conversation_id == conversation_id,
        Message.sequence > sequence,
        Message.author == "customer",
        Message.status == "kept",
    )
    return list(session.scalars(query.order_by(Message.sequence)))


def waiting(session: Session, limit: int) -> list[Row[Any]]:
    """(handoff, conversation, monetary, segment) of what nobody has, the longest waiting first."""
    query = (
        select(Handoff, Conversation, CustomerValue.monetary, CustomerValue.segment)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .outerjoin(CustomerValue, CustomerValue.customer_id == Conversation.customer_id)
        .where(Handoff.closed_at.is_(None), Handoff.waiting_since.is_not(None))
    )
    return list(session.execute(query.order_by(Handoff.waiting_since, Handoff.id).limit(limit)))


def count_waiting(session: Session) -> int:
    query = select(func.count()).where(Handoff.closed_at.is_(None), Handoff.waiting_since.is_not(None))
    return session.scalar(query) or 0


def taken(session: Session) -> list[Row[Any]]:
    """(handoff, conversation) of what somebody has now, the oldest first."""
    query = (
        select(Handoff, Conversation)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(Handoff.closed_at.is_(None), Handoff.waiting_since.is_(None))
    )
    return list(session.execute(query.order_by(Handoff.taken_at, Handoff.id)))


def mine(session: Session, staff_id: int) -> list[tuple[str, int, int]]:
    """(conversation, last message of the customer, last word of a person) of what somebody has now."""
    last = func.coalesce(func.max(Message.sequence).filter(Message.author == "customer"), 0)
    said = func.coalesce(func.max(Message.sequence).filter(Message.author == "staff"), 0)
    query = (
        select(Handoff.conversation_id, last, said)
        .outerjoin(Message, Message.conversation_id == Handoff.conversation_id)
        .where(Handoff.closed_at.is_(None), Handoff.staff_id == staff_id)
        .group_by(Handoff.conversation_id)
        .order_by(Handoff.conversation_id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def missed(session: Session, since: datetime, limit: int) -> list[Row[Any]]:
    """(handoff, conversation) of who was told that nobody came and has had nobody since, the newest first."""
    later = select(Handoff.conversation_id).where(Handoff.taken_at >= since)
    query = (
        select(Handoff, Conversation)
        .join(Conversation, Conversation.id == Handoff.conversation_id)
        .where(
            Handoff.missed_at >= since,
            Handoff.requested_at >= since,
            Conversation.status == "bot",
            Handoff.conversation_id.not_in(later),
        )
    )
    return list(session.execute(query.order_by(Handoff.missed_at.desc()).limit(limit)))


def last_words(session: Session, conversation_ids: Collection[str]) -> dict[str, Message]:
    """The customer's last message in each of these conversations."""
    newest = (
        select(func.max(Message.id))
        .where(Message.conversation_id.in_(conversation_ids), Message.author == "customer")
        .group_by(Message.conversation_id)
    )
    found = session.scalars(select(Message).where(Message.id.in_(newest)))
    return {message.conversation_id: message for message in found}


def topics(session: Session, conversation_ids: Collection[str], not_these: Collection[str]) -> dict[str, str]:
    """What each of these conversations was last about, as the bot understood it."""
    newest = (
        select(func.max(Message.id))
        .where(
            Message.conversation_id.in_(conversation_ids),
            Message.intent.is_not(None),
            Message.intent.not_in(not_these),
        )
        .group_by(Message.conversation_id)
    )
    found = session.execute(select(Message.conversation_id, Message.intent).where(Message.id.in_(newest)))
    return {row.conversation_id: str(row.intent) for row in found}


def with_open_complaint(session: Session, conversations: Collection[Conversation]) -> set[str]:
    """Which of these conversations have a complaint that is not settled, or a customer who has."""
    ids = {conversation.id for conversation in conversations}
    people = {c.customer_id for c in conversations if c.customer_id is not None}
    found = session.execute(
        select(Case.conversation_id, Case.customer_id).where(
            Case.kind == "complaint",
            Case.resolved_at.is_(None),
            Case.conversation_id.in_(ids) | Case.customer_id.in_(people),
        )
    ).all()
    by_talk = {row.conversation_id for row in found}
    by_person = {row.customer_id for row in found if row.customer_id is not None}
    return {c.id for c in conversations if c.id in by_talk or c.customer_id in by_person}


def give_to_bot(session: Session, message_id: int) -> None:
    """The bot answers this message after all."""
    session.execute(
        update(Message).where(Message.id == message_id, Message.status == "kept").values(status="received")
    )


def keep_unanswered(session: Session, conversation_id: str) -> None:
    """What waits for the bot is settled without it."""
    session.execute(
        update(Message)
        .where(Message.conversation_id == conversation_id, Message.status == "received")
        .values(status="kept")
        .execution_options(synchronize_session=False)
    )


def overdue(session: Session, limit: int) -> Sequence[str]:
    """The conversations that wait for a person, the longest waiting first."""
    query = (
        select(Handoff.conversation_id)
        .where(Handoff.closed_at.is_(None), Handoff.waiting_since.is_not(None))
        .order_by(Handoff.waiting_since)
        .limit(limit)
    )
    return session.scalars(query).all()


def silent(session: Session, taken_before: datetime, limit: int) -> Sequence[str]:
    """The conversations that somebody took before then without a word since, the oldest first."""
    query = (
        select(Handoff.conversation_id)
        .where(
            Handoff.closed_at.is_(None),
            Handoff.waiting_since.is_(None),
            Handoff.first_answer_at.is_(None),
            Handoff.taken_at <= taken_before,
        )
        .order_by(Handoff.taken_at)
        .limit(limit)
    )
    return session.scalars(query).all()


def said_stop_since(session: Session, conversation_id: str, at: datetime, stopped: str) -> bool:
    """Whether the customer said STOP since then."""
    contents = session.scalars(
        select(Message.content).where(
            Message.conversation_id == conversation_id, Message.author == "customer", Message.at >= at
        )
    )
    return any((content or {}).get("notice") == stopped for content in contents)


def said_stop_last(session: Session, conversation_id: str) -> bool:
    """Whether the last word of the customer is STOP. What only the provider told is no word of theirs."""
    query = select(Message.text, Message.payload, Message.content).where(
        Message.conversation_id == conversation_id, Message.author == "customer"
    )
    for row in session.execute(query.order_by(Message.sequence.desc()).limit(LATEST)):
        if row.text or (row.content or {}).get("notice"):
            return row.payload is None and is_stop(row.text or "")
    return False


def words_about(session: Session, conversation_id: str, asked_at: datetime, limit: int = 5) -> list[str]:
    """The customer's last words from shortly before they asked for a person, in order."""
    query = select(Message.text, Message.payload).where(
        Message.conversation_id == conversation_id,
        Message.author == "customer",
        Message.at >= asked_at - BEFORE_ASKING,
    )
    rows = session.execute(query.order_by(Message.sequence.desc()).limit(limit)).all()
    return [row.text for row in reversed(rows) if row.text]


def before(session: Session, conversation_id: str, sequence: int) -> str | None:
    """The name of what the bot said last before that sequence number, if we said that last."""
    query = (
        select(Message.author, Message.response)
        .where(Message.conversation_id == conversation_id, Message.sequence < sequence)
        .order_by(Message.sequence.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    return row.response if row is not None and row.author == "bot" else None


def case_by_key(session: Session, message_key: str) -> Case | None:
    return session.scalar(select(Case).where(Case.message_key == message_key).with_for_update())


def last_missed(session: Session, conversation_id: str) -> Handoff | None:
    query = select(Handoff).where(Handoff.conversation_id == conversation_id, Handoff.missed_at.is_not(None))
    return session.scalar(query.order_by(Handoff.missed_at.desc()).limit(1))
