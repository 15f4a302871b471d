"""What is to be sent. The outbox table is the truth; whatever works on it is only an engine."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

# What it refers to must be known wherever it is.
import rapport.customers.models
import rapport.outreach.journeys.models  # noqa: F401
from rapport.kit import clock
from rapport.kit.database import Base


class OutboxMessage(Base):
    """A mail to send once. `key` is unique; a lease keeps two workers apart; the text goes once it is sent.

    `status`: queued → sending (what nobody asked for, from the moment it is handed over) → sent → bounced; or
    failed (refused for good, outlived `expires_at`, cancelled, or there was nobody to send it to); or unknown
    (a worker was killed, or the line broke, while it handed over what nobody asked for: not repeated).
    `asked`: somebody waits for it.

    An unasked one needs `customer_id`: its links lead to their wishes. `step_id` is the journey's step that
    sent it. `text` is only what is said; footer and HTML are made when it leaves. `address_hash` tells later,
    when the address is gone, whether a mail came back from it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        # What somebody waits for goes before what nobody asked for, however much of that there is.
        Index("ix_outbox_due", "status", "asked", "next_attempt_at"),
        # Small: an address goes once its mail is sent.
        Index("ix_outbox_recipient", "recipient"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    purpose: Mapped[str] = mapped_column(String(40))
    asked: Mapped[bool]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    step_id: Mapped[int | None] = mapped_column(ForeignKey("journey_step.id"), index=True)
    recipient: Mapped[str | None] = mapped_column(String(320))
    address_hash: Mapped[str | None] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(200))
    text: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(2))
    message_id: Mapped[str] = mapped_column(String(120), index=True)
    status: Mapped[str] = mapped_column(String(10), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=clock.now)
    lease_until: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    complained_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class MailTrouble(Base):
    """An address whose mails come back: nothing unasked goes there. It is known by a keyed hash only.

    `gone_at`: nobody is there (a hard bounce). `soft_count`: so many came back for reasons that may pass (a
    full mailbox), the last at `soft_at`. Who shows that they read mail there is reachable again: no row.
    """

    __tablename__ = "mail_trouble"

    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    gone_at: Mapped[datetime | None]
    soft_count: Mapped[int] = mapped_column(default=0)
    soft_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(300))
