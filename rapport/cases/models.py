"""Cases: what the shop's people must look at, and what happened with each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


def _where(condition: str) -> dict[str, Any]:
    """The options of a partial index, which both databases know."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


OPEN = _where("resolved_at IS NULL")
RESOLVED = _where("resolved_at IS NOT NULL")
OPEN_COMPLAINT = _where("kind = 'complaint' AND resolved_at IS NULL")


class Case(Base):
    """Something the shop's people must look at. What `kind`, `status` and the like may be is in rules.py.

    `topic` says what a request asks for (`requests.KINDS`), `order_number` which order it is about, `rating`
    how many stars (1 to 5) a review gives, `source_url` where a mention stands, `contact` whom to reach where
    nobody is known: a name, a number. `version` counts its changes, so that nobody overwrites another's.
    `resolution` is what the customer is told of how it ended. `resolved_at` is set while it is resolved.
    """

    __tablename__ = "case"
    __table_args__ = (
        # The list, sorted by what is due first; the newest first of what is done.
        Index("ix_case_due", "due_at", "id", **OPEN),
        Index("ix_case_owner_due", "owner_id", "due_at", "id", **OPEN),
        Index("ix_case_resolved", "resolved_at", "id", **RESOLVED),
        Index("ix_case_open_complaint", "conversation_id", **OPEN_COMPLAINT),
        Index("ix_case_order_number", "order_number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(12), default="open", index=True)
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversation.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    message_key: Mapped[str] = mapped_column(String(120), unique=True)
    topic: Mapped[str | None] = mapped_column(String(40))
    order_number: Mapped[str | None] = mapped_column(String(60))
    rating: Mapped[int | None] = mapped_column(SmallInteger)
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(2))
    source_url: Mapped[str | None] = mapped_column(String(500))
    contact: Mapped[str | None] = mapped_column(String(200))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    priority: Mapped[str] = mapped_column(String(8), default="normal")
    due_at: Mapped[datetime] = mapped_column(default=lambda: clock.now() + timedelta(days=2))
    opened_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    resolved_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    resolution: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class CaseEvent(Base):
    """Append-only: what happened with a case, and by whom (nobody: the customer, or time itself).

    `version` is the case's after it. `text` is what was written; `details` say from what to what, or on which
    ways it was sent.
    """

    __tablename__ = "case_event"
    __table_args__ = (Index("ix_case_event_case", "case_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=clock.now)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
