"""Who is on which journey, and what became of each step."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base

WAITING: dict[str, Any] = {
    "sqlite_where": text("status = 'waiting'"),
    "postgresql_where": text("status = 'waiting'"),
}


class JourneyEntry(Base):
    """A customer on a journey, because of one thing that happened (`trigger_key`): once for each.

    `variant`: a or b, the words they get; control gets nothing and is measured all the same. `anchor_at`:
    when it happened, from which the first step counts. `context` is what words and policy need to know of it
    (`order_id`, `sku`), nothing about the person. `status`: running → finished (all steps decided) or left
    (`left_why`: an exit of the journey).
    """

    __tablename__ = "journey_entry"
    __table_args__ = (
        UniqueConstraint("customer_id", "journey", "trigger_key"),
        # All that results ask for, so that it is read without the table; also in ix_journey_step_entry.
        Index(
            "ix_journey_entry_journey",
            *("journey", "entered_at", "customer_id", "variant", "status", "left_why"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    journey: Mapped[str] = mapped_column(String(40))
    trigger_key: Mapped[str] = mapped_column(String(120))
    variant: Mapped[str] = mapped_column(String(8))
    anchor_at: Mapped[datetime]
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status: Mapped[str] = mapped_column(String(10), default="running")
    left_why: Mapped[str | None] = mapped_column(String(40))
    entered_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]


class JourneyStep(Base):
    """One step of one customer's journey: decided once, whatever is killed or run twice.

    `status`: waiting (until `due_at`, which the policy may put off) → sent (handed over; `channel` and
    `reference` say where: outbox:<id>, message:<id>, case:<id>), skipped (`reason`: why not) or left.
    `planned_at`: when it was to come before anything put it off. `failures`: how often a mistake of ours kept
    it from being decided. `repeats`: how often a pause called it back after it was handed over.
    """

    __tablename__ = "journey_step"
    __table_args__ = (
        UniqueConstraint("customer_id", "journey", "step", "trigger_key"),
        Index("ix_journey_step_due", "due_at", "id", **WAITING),
        Index("ix_journey_step_entry", "entry_id", "step", "status", "reason", "channel"),
        Index("ix_journey_step_sent", "customer_id", "decided_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("journey_entry.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    journey: Mapped[str] = mapped_column(String(40))
    step: Mapped[str] = mapped_column(String(40))
    trigger_key: Mapped[str] = mapped_column(String(120))
    planned_at: Mapped[datetime]
    due_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(10), default="waiting")
    reason: Mapped[str | None] = mapped_column(String(40))
    channel: Mapped[str | None] = mapped_column(String(20))
    reference: Mapped[str | None] = mapped_column(String(60))
    decided_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    repeats: Mapped[int] = mapped_column(default=0)
