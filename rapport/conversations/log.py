"""One conversation with everything in it, as `rapport log` reads it. Lists are made in rapport/review/."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation, Message
from rapport.kit.errors import InvalidInputError, NotFoundError

SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class Summary:
    """A conversation in short. `lowest_confidence` is that of the message understood worst."""

    id: str
    channel: str
    language: str
    status: str
    customer_id: int | None
    messages: int
    unanswered: int
    lowest_confidence: float | None
    started_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Entry:
    """One message. What was understood (and `took_ms`, the time of the turn) stand on the customer's."""

    sequence: int
    at: datetime
    author: str
    status: str
    text: str | None
    language: str | None
    intent: str | None
    confidence: float | None
    entities: list[dict[str, Any]]
    actions: list[str]
    took_ms: float | None
    response: str | None
    buttons: list[str]
    card: dict[str, Any] | None


@dataclass(frozen=True)
class Transcript:
    """One conversation with everything said in it."""

    summary: Summary
    entries: list[Entry]


def show(session: Session, conversation_id: str) -> Transcript:
    """One conversation by its id, or by the beginning of it.

    Raises NotFoundError, and InvalidInputError when several begin like that.
    """
    conversation = _find(session, conversation_id.strip().lower())
    messages = session.scalars(
        select(Message).where(Message.conversation_id == conversation.id).order_by(Message.sequence)
    )
    summary = _summary(conversation, _counts(session, [conversation.id]))
    return Transcript(summary, [_entry(message) for message in messages])


def _find(session: Session, beginning: str) -> Conversation:
    if len(beginning) < SHORTEST_PREFIX:
        raise InvalidInputError(f"Give at least the first {SHORTEST_PREFIX} characters of the id.")
    query = select(Conversation).where(Conversation.id.startswith(beginning, autoescape=True)).limit(2)
    found = session.scalars(query).all()
    if not found:
        raise NotFoundError("There is no such conversation. `rapport log` lists them.")
    if len(found) > 1:
        raise InvalidInputError("Several conversations begin like that; give more of the id.")
    return found[0]


def _counts(session: Session, ids: list[str]) -> dict[str, tuple[int, int, float | None]]:
    query = (
        select(
            Message.conversation_id,
            func.count(),
            func.count().filter(Message.status == "received"),
            func.min(Message.confidence),
        )
        .where(Message.conversation_id.in_(ids))
        .group_by(Message.conversation_id)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in session.execute(query)}


def _summary(conversation: Conversation, counts: dict[str, tuple[int, int, float | None]]) -> Summary:
    messages, unanswered, confidence = counts.get(conversation.id, (0, 0, None))
    return Summary(
        id=conversation.id,
        channel=conversation.channel,
        language=conversation.language,
        status=conversation.status,
        customer_id=conversation.customer_id,
        messages=messages,
        unanswered=unanswered,
        lowest_confidence=confidence,
        started_at=conversation.created_at,
        last_at=conversation.updated_at,
    )


def _entry(message: Message) -> Entry:
    return Entry(
        sequence=message.sequence,
        at=message.at,
        author=message.author,
        status=message.status,
        text=message.text,
        language=message.language,
        intent=message.intent,
        confidence=message.confidence,
        entities=message.entities or [],
        actions=message.actions or [],
        took_ms=message.took_ms,
        response=message.response,
        buttons=[button["title"] for button in message.content.get("buttons", ())],
        card=message.content.get("card"),
    )
