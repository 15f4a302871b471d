"""What the contact policy decided, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class ContactDecision(Base):
    """Append-only: whether something unasked was sent, with the reason, as things stood then.

    `outcome`: send (on `channel`), later (not before `until`) or never. `reason` is one of `rules.REASONS`;
    `facts` what it rests on: the consent's id, counts and limits, hours; nothing that names the person.
    """

    __tablename__ = "contact_decision"
    __table_args__ = (
        Index("ix_contact_decision_customer", "customer_id", "at"),
        Index("ix_contact_decision_journey", "journey", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    journey: Mapped[str] = mapped_column(String(40))
    step: Mapped[str] = mapped_column(String(40))
    step_id: Mapped[int | None] = mapped_column(ForeignKey("journey_step.id"), index=True)
    outcome: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str | None] = mapped_column(String(20))
    until: Mapped[datetime | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    at: Mapped[datetime] = mapped_column(default=clock.now)
