"""What is said of the shop in public, what we answer there, and how far each source was read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base

STILL_OPEN = text("mention_answer.status IN ('queued', 'sending')")
OPEN: dict[str, Any] = {"sqlite_where": STILL_OPEN, "postgresql_where": STILL_OPEN}


class Mention(Base):
    """Something somebody wrote about the shop. What `kind` and `state` may be is in rules.py.

    `source_id` is the source's id of it, `author` the name they write under, `author_id` the source's lasting
    id of them ("" where it gives none). `addressed`: they wrote to us; else it was found by searching.
    `visibility` is the source's word for who can read it, `details` what else its answering needs.
    `confidence` (0 to 1) is the classifier's, None once staff said what it is. `suggestion`: a public
    answer to be looked over. `linked_by`: who of staff said whose account it is. Once the author has taken
    it back `text` is empty, and `removed_at` says since when.
    """

    __tablename__ = "mention"
    __table_args__ = (
        UniqueConstraint("source", "source_id"),
        Index("ix_mention_at", "at", "id"),
        Index("ix_mention_author", "source", "author_id", "id"),
        Index("ix_mention_customer", "customer_id", "at"),
        Index("ix_mention_checked", "source", "checked_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    source_id: Mapped[str] = mapped_column(String(200))
    author: Mapped[str] = mapped_column(String(200))
    author_id: Mapped[str] = mapped_column(String(200), default="")
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(2))
    url: Mapped[str | None] = mapped_column(String(500))
    at: Mapped[datetime]
    visibility: Mapped[str] = mapped_column(String(20), default="public")
    addressed: Mapped[bool] = mapped_column(default=True)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    kind: Mapped[str] = mapped_column(String(10))
    confidence: Mapped[float | None] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(10), default="new")
    suggestion: Mapped[str] = mapped_column(Text, default="")
    note: Mapped[str] = mapped_column(Text, default="")
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    linked_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    checked_at: Mapped[datetime] = mapped_column(default=clock.now)
    edited_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class MentionAnswer(Base):
    """An answer of ours on its way to where the mention stands; `key` is unique, so none is decided twice.

    `private`: only the author reads it. `staff_id`: who sent it; nobody where it went by itself. `status`:
    queued → sending → sent, or failed, cancelled, or unknown: it was in the source's hands when we were
    killed, or the source never said whether it took it; such a one is not sent again.
    """

    __tablename__ = "mention_answer"
    __table_args__ = (
        Index("ix_mention_answer_mention", "mention_id", "id"),
        # Small: it holds only what is still to be done.
        Index("ix_mention_answer_due", "next_attempt_at", "id", **OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    mention_id: Mapped[int] = mapped_column(ForeignKey("mention.id"))
    source: Mapped[str] = mapped_column(String(20))
    private: Mapped[bool] = mapped_column(default=False)
    text: Mapped[str] = mapped_column(Text)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    status: Mapped[str] = mapped_column(String(10), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=clock.now)
    lease_until: Mapped[datetime | None]
    provider_id: Mapped[str | None] = mapped_column(String(200))
    last_error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]


class MentionSource(Base):
    """How far a source was read, and how that went. `paused_until`: it asked to be left alone for so long."""

    __tablename__ = "mention_source"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    cursor: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    read_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(300))
