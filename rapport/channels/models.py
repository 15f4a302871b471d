"""Where people are reached in messaging apps, what is on its way to them, and links that lead there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base

STILL_OPEN = text("delivery.status IN ('queued', 'sending')")
OPEN: dict[str, Any] = {"sqlite_where": STILL_OPEN, "postgresql_where": STILL_OPEN}


class ContactPoint(Base):
    """A person on a messaging channel, and their conversation there.

    `customer_id` is a prospect of its own until the person shows who they are: then it is that customer, and
    `linked_at` says since when. `unreachable_since`: they blocked us or the address is gone, until they write
    again. `stopped_at`: they said STOP, and were told, by us or the provider, that it was heard. `thread` is
    the provider's id of their newest message.
    """

    __tablename__ = "contact_point"
    __table_args__ = (UniqueConstraint("channel", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(320))
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    linked_at: Mapped[datetime | None]
    last_inbound_at: Mapped[datetime]
    thread: Mapped[str | None] = mapped_column(String(200))
    stopped_at: Mapped[datetime | None]
    unreachable_since: Mapped[datetime | None]
    unreachable_reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Delivery(Base):
    """A stored message of ours on its way to a person: the `sequence` of its conversation.

    `status`: queued → sending → sent, or failed, cancelled, or unknown: something unasked that was in the
    provider's hands when we were killed. `parts_sent`: how many messages on the wire it made so far. A lease
    that ran out while `sending` means that nobody knows about the next part; `repeats` counts those sent
    again. `provider_id` is that of the last part. `asked`: it answers the person, or they asked for it.
    `cancelled_at`: they wanted nothing unasked any more; what was on its way then is not tried again.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("conversation_id", "sequence"),
        # Small: they hold only what is still to be done. `repository.OPEN` says it word for word.
        Index("ix_delivery_open", "conversation_id", "sequence", **OPEN),
        Index("ix_delivery_due", "channel", "next_attempt_at", "id", **OPEN),
        Index("ix_delivery_provider_id", "channel", "provider_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"))
    sequence: Mapped[int]
    channel: Mapped[str] = mapped_column(String(20))
    asked: Mapped[bool] = mapped_column(default=True)
    status: Mapped[str] = mapped_column(String(10), default="queued")
    parts_sent: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    repeats: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=clock.now)
    lease_until: Mapped[datetime | None]
    provider_id: Mapped[str | None] = mapped_column(String(200))
    last_error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class ChannelLink(Base):
    """A link that takes a customer from the website to a messaging app as themselves; good once."""

    __tablename__ = "channel_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    channel: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
