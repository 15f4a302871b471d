"""What shops sent: events of orders, and the webhook deliveries they came in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class OrderEventRecord(Base):
    """An event of an order, once per source and event id. `digest` tells a repetition from another event.

    `reference` is the shop's own id of the order, `number` what its customer sees. An event of an order that
    nobody has placed yet is `waiting`, and only as long as it waits does it keep its `payload`.
    """

    __tablename__ = "order_event"
    __table_args__ = (
        UniqueConstraint("source", "event_id"),
        Index("ix_order_event_reference", "source", "reference"),
        Index("ix_order_event_number", "source", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(60))
    event_id: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(12))
    digest: Mapped[str] = mapped_column(String(64))
    number: Mapped[str | None] = mapped_column(String(60))
    reference: Mapped[str | None] = mapped_column(String(60))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    at: Mapped[datetime]
    described: Mapped[bool] = mapped_column(default=False)
    waiting: Mapped[bool] = mapped_column(default=False)
    payload: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(default=clock.now)


class WebhookDelivery(Base):
    """A delivery of a shop's webhook, stored before it is acknowledged.

    `digest` is part of what makes it one: WooCommerce makes its delivery ids of the second they are sent in,
    so two different ones may share an id. The body, which tells of people, is dropped once it was applied.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("source", "delivery_id", "digest"),
        Index("ix_webhook_delivery_due", "status", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    delivery_id: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64))
    topic: Mapped[str] = mapped_column(String(60))
    sender: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(String(10), default="received")
    reason: Mapped[str | None] = mapped_column(String(300))
    tries: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    next_try_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
