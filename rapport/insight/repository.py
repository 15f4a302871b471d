"""All queries on satisfaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint
from rapport.conversations.models import Message
from rapport.insight.models import Satisfaction


def by_key(session: Session, message_key: str) -> Satisfaction | None:
    return session.scalar(select(Satisfaction).where(Satisfaction.message_key == message_key))


def newest(session: Session, conversation_id: str) -> Satisfaction | None:
    """The last time they were asked in this conversation."""
    query = select(Satisfaction).where(Satisfaction.conversation_id == conversation_id)
    return session.scalar(query.order_by(Satisfaction.id.desc()).limit(1))


def has_stopped(session: Session, conversation_id: str) -> bool:
    """Whether they said STOP in the app this conversation is held in."""
    query = select(ContactPoint.id).where(
        ContactPoint.conversation_id == conversation_id, ContactPoint.stopped_at.is_not(None)
    )
    return session.scalar(query) is not None


def lately(
    session: Session, conversation_id: str, since: datetime
) -> Sequence[tuple[str, str | None, datetime]]:
    """(author, intent, when) of what was said in a conversation since then, the newest first."""
    query = (
        select(Message.author, Message.intent, Message.at)
        .where(Message.conversation_id == conversation_id, Message.at >= since)
        .order_by(Message.sequence.desc())
        .limit(200)
    )
    return [(author, intent, at) for author, intent, at in session.execute(query)]


def last_response(session: Session, conversation_id: str) -> str | None:
    """The name of the response that was said last, None when somebody else than the bot spoke last."""
    query = (
        select(Message.response)
        .where(Message.conversation_id == conversation_id, Message.author != "customer")
        .order_by(Message.sequence.desc())
        .limit(1)
    )
    return session.scalar(query)
