"""All queries a transcript needs: a page of messages, and what became of those sent to an app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from rapport.channels.models import Delivery
from rapport.conversations.models import Message

_COLUMNS = tuple(
    column for column in Message.__table__.columns if column.key not in {"provider_id", "attempts"}
)


def before(session: Session, conversation_id: str, sequence: int | None, limit: int) -> list[Row[Any]]:
    """The newest messages, or the newest of those before one; oldest first."""
    query = select(*_COLUMNS).where(Message.conversation_id == conversation_id)
    if sequence is not None:
        query = query.where(Message.sequence < sequence)
    return list(session.execute(query.order_by(Message.sequence.desc()).limit(limit)))[::-1]


def after(session: Session, conversation_id: str, sequence: int, limit: int) -> list[Row[Any]]:
    """The messages after one, oldest first."""
    query = select(*_COLUMNS).where(Message.conversation_id == conversation_id, Message.sequence > sequence)
    return list(session.execute(query.order_by(Message.sequence).limit(limit)))


def deliveries(session: Session, conversation_id: str, first: int, last: int) -> Sequence[Delivery]:
    """What is known of the way of these messages, by their sequence."""
    query = select(Delivery).where(
        Delivery.conversation_id == conversation_id, Delivery.sequence.between(first, last)
    )
    return session.scalars(query).all()
