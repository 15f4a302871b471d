"""All queries on conversations. Those a chat turn makes are plain columns and statements: they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CursorResult,
    RowMapping,
    Table,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from rapport.conversations.models import Case, Conversation, Handoff, Message

# Word for word the condition of the index, or SQLite does not use it.
UNANSWERED: ColumnElement[bool] = literal_column("message.status = 'received'", Boolean)

_messages = cast(Table, Message.__table__)
_PUBLIC = (
    Message.conversation_id,
    Message.sequence,
    Message.author,
    Message.text,
    Message.content,
    Message.language,
    Message.at,
    Message.provider_id,
)


@dataclass(frozen=True)
class Head:
    """The message whose turn it is in a conversation."""

    message_id: int
    text: str
    payload: str | None
    attempts: int
    conversation: Conversation
    more: bool  # others wait behind it


def by_token_hash(session: Session, token_hash: str) -> Conversation | None:
    return session.scalar(select(Conversation).where(Conversation.token_hash == token_hash))


def lock(session: Session, conversation_id: str) -> str:
    """Takes the conversation's lock until the transaction ends; returns its status."""
    query = select(Conversation.status).where(Conversation.id == conversation_id).with_for_update()
    return session.execute(query).scalar_one()


def advance(session: Session, conversation_id: str, count: int, now: datetime) -> tuple[int, str, str]:
    """Takes `count` sequence numbers, and with them the lock: (last number, status, language)."""
    statement = (
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(last_sequence=Conversation.last_sequence + count, updated_at=now)
        .returning(Conversation.last_sequence, Conversation.status, Conversation.language)
        .execution_options(synchronize_session=False)
    )
    last, status, language = session.execute(statement).one()
    return last, status, language


def by_provider_id(session: Session, channel: str, provider_id: str) -> Message | None:
    query = select(Message).where(Message.channel == channel, Message.provider_id == provider_id)
    return session.scalar(query)


def by_sequence(session: Session, conversation_id: str, sequence: int) -> Message | None:
    query = select(Message).where(Message.conversation_id == conversation_id, Message.sequence == sequence)
    return session.scalar(query)


def after(session: Session, conversation_id: str, sequence: int, limit: int) -> Sequence[RowMapping]:
    """Messages after a sequence number, oldest first, as the columns `rules.public_message` needs."""
    query = (
        select(*_PUBLIC)
        .where(Message.conversation_id == conversation_id, Message.sequence > sequence)
        .order_by(Message.sequence)
        .limit(limit)
    )
    return session.execute(query).mappings().all()


def replies_to(session: Session, message_id: int) -> Sequence[RowMapping]:
    query = select(*_PUBLIC).where(Message.reply_to == message_id).order_by(Message.sequence)
    return session.execute(query).mappings().all()


def message_status(session: Session, message_id: int) -> str:
    return session.execute(select(Message.status).where(Message.id == message_id)).scalar_one()


def state(session: Session, conversation_id: str) -> tuple[str, str, bool]:
    """(status, language, whether a message waits for its answer)."""
    waiting = (
        select(Message.id).where(Message.conversation_id == conversation_id, UNANSWERED).limit(1)
    ).scalar_subquery()
    query = select(Conversation.status, Conversation.language, waiting).where(
        Conversation.id == conversation_id
    )
    status, language, message_id = session.execute(query).one()
    return status, language, message_id is not None


def head(session: Session, conversation_id: str) -> Head | None:
    """The first message of a conversation that has no answer yet."""
    query = (
        select(Message.id, Message.text, Message.payload, Message.attempts, Conversation)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.conversation_id == conversation_id, UNANSWERED)
        .order_by(Message.sequence)
        .limit(2)
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    message_id, text, payload, attempts, conversation = rows[0]
    return Head(message_id, text or "", payload, attempts, conversation, len(rows) > 1)


def unanswered_conversations(session: Session, limit: int) -> Sequence[str]:
    """Conversations with a message that has no answer yet."""
    query = select(Message.conversation_id).where(UNANSWERED).distinct().limit(limit)
    return session.scalars(query).all()


def settle(session: Session, message_id: int, **values: Any) -> bool:
    """Writes the outcome of a message, if nobody else has; False if somebody has."""
    statement = (
        update(Message)
        .where(Message.id == message_id, UNANSWERED)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def keep_unanswered(session: Session, conversation_id: str) -> None:
    """A person answers these."""
    session.execute(
        update(Message)
        .where(Message.conversation_id == conversation_id, UNANSWERED)
        .values(status="kept")
        .execution_options(synchronize_session=False)
    )


def count_attempt(session: Session, message_id: int) -> None:
    session.execute(
        update(Message)
        .where(Message.id == message_id)
        .values(attempts=Message.attempts + 1)
        .execution_options(synchronize_session=False)
    )


def add_messages(session: Session, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(_messages), rows)


def change_language(session: Session, conversation_id: str, language: str) -> None:
    session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(language=language, language_chosen=False)
        .execution_options(synchronize_session=False)
    )


def start_waiting(session: Session, conversation_id: str) -> bool:
    """Marks that the conversation waits for a person; False if it does already, or has one."""
    statement = (
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.status == "bot")
        .values(status="waiting")
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def handoff_by_key(session: Session, message_key: str) -> Handoff | None:
    return session.scalar(select(Handoff).where(Handoff.message_key == message_key))


def case_by_key(session: Session, message_key: str) -> Case | None:
    return session.scalar(select(Case).where(Case.message_key == message_key))
