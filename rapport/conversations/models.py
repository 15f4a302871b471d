"""Conversations, their messages, hand-overs to people."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

import rapport.staff.models  # noqa: F401 - the table that `assigned_to` points to must be known
from rapport.cases.models import Case as Case
from rapport.kit import clock
from rapport.kit.database import Base


def _where(condition: str) -> dict[str, Any]:
    """The options of a partial index, which both databases know."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


UNTOLD = "told_at IS NULL AND status IN ('kept', 'untold')"
# What staff may teach: `rules.FALLBACK` and `rules.LOW_CONFIDENCE` of rapport/teaching, as a condition.
UNCLEAR = "author = 'customer' AND payload IS NULL AND (intent = 'nlu_fallback' OR confidence < 0.5)"
LISTED = (
    "updated_at",
    "id",
    "last_sequence",
    "channel",
    "language",
    "status",
    "customer_id",
    "lowest_confidence",
    "not_understood",
    "intents",
)


class Conversation(Base):
    """A talk with one person on one channel. Who that is counts only while `verified_until` lies ahead.

    `status`: bot, waiting (for a person; the bot still answers) or human (the bot is silent).
    `language_chosen`: the customer asked for the language, so it takes more to leave it.
    `client_hash`: a keyed hash by which codes are limited: of the network address it was started from, of a
    mail's domain, of all SMS. `assigned_to`: who of the staff looks after it.
    Of what the bot understood, `lowest_confidence`, `not_understood` (at least once) and `intents`
    (`,greet,track_order,`) stand here as well, written with the message: lists of many ask for them.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        # All that the console's list asks for, so that it is read without the table.
        Index("ix_conversation_listed", *LISTED),
        # What figures are filtered by.
        Index("ix_conversation_kind", "id", "channel", "language"),
        Index("ix_conversation_not_with_bot", "status", "updated_at", "id", **_where("status <> 'bot'")),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)
    channel: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(2))
    language_chosen: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(10), default="bot")
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    client_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    verified_until: Mapped[datetime | None]
    assigned_to: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    last_sequence: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    lowest_confidence: Mapped[float | None]
    not_understood: Mapped[bool] = mapped_column(default=False, server_default=false())
    intents: Mapped[str] = mapped_column(String(2000), default="", server_default="")


class Message(Base):
    """Something said, by `author` customer, bot, staff (`staff_id`) or system.

    A customer's message has `status` received → answered (or kept, while a person has the conversation, or
    noted, when there is nothing to say to it); its `content` may name the `notice` that answers it.
    What the bot understood and how long it took stand on the customer's message; a reply points back by
    `reply_to`. `content` holds a reply's buttons (with payloads), card and image.

    What the bot has to be told before its next turn is kept, or untold (what staff said), without `told_at`.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("conversation_id", "sequence"),
        UniqueConstraint("channel", "provider_id"),
        # Small: it holds only what is still to be answered. `repository.UNANSWERED` says it word for word.
        Index("ix_message_unanswered", "conversation_id", "sequence", **_where("status = 'received'")),
        Index("ix_message_reply_to", "reply_to"),
        # Small as well; `repository.UNTOLD` says it word for word.
        Index("ix_message_untold", "conversation_id", "sequence", **_where(UNTOLD)),
        # Of all that customers write a few in a hundred.
        Index("ix_message_unclear", "language", "at", **_where(UNCLEAR)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"))
    sequence: Mapped[int]
    author: Mapped[str] = mapped_column(String(10))
    channel: Mapped[str] = mapped_column(String(20))
    provider_id: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(10))
    text: Mapped[str | None] = mapped_column(Text)
    payload: Mapped[str | None] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    reply_to: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    language: Mapped[str | None] = mapped_column(String(2))
    intent: Mapped[str | None] = mapped_column(String(60))
    confidence: Mapped[float | None]
    entities: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    actions: Mapped[list[str] | None] = mapped_column(JSON)
    response: Mapped[str | None] = mapped_column(String(80))
    attempts: Mapped[int] = mapped_column(default=0)
    took_ms: Mapped[float | None]
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    answered_at: Mapped[datetime | None]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    told_at: Mapped[datetime | None]


class Handoff(Base):
    """A conversation that is, or was, for a person: asked for by the customer, or taken by staff unasked.

    Open until `closed_at`; a conversation has one open at most. `staff_id` is who has it, or had it last;
    `taken_at` when somebody took it first (again, if they left it without a word), `first_answer_at` when
    they first said something. `waiting_since` is only set while nobody has it. `missed_at`: the customer was
    told that nobody came.
    """

    __tablename__ = "handoff"
    __table_args__ = (
        Index("ix_handoff_open", "conversation_id", unique=True, **_where("closed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"), index=True)
    message_key: Mapped[str] = mapped_column(String(80), unique=True)
    reason: Mapped[str] = mapped_column(String(80))
    requested_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    taken_at: Mapped[datetime | None]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    first_answer_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    missed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
