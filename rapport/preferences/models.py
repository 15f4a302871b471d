"""Who asked for our mails, until they have shown that it was they."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class Subscription(Base):
    """Somebody typed an address and wants to hear from us. Nothing is granted until it is confirmed.

    `address` goes as soon as it is; what nobody confirms is deleted. `mailbox_hash` is what requests for one
    mailbox are counted by, however its address is written; `sent`: the mails it was sent lately, with this.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        Index("ix_subscription_mailbox", "mailbox_hash", "id"),
        Index("ix_subscription_client", "client_hash", "requested_at"),
        Index("ix_subscription_requested_at", "requested_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str | None] = mapped_column(String(320))
    mailbox_hash: Mapped[str] = mapped_column(String(64))
    client_hash: Mapped[str] = mapped_column(String(64))
    purposes: Mapped[list[str]] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(2))
    wording_version: Mapped[str] = mapped_column(String(60))
    source: Mapped[str] = mapped_column(String(100))
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent: Mapped[int] = mapped_column(default=1)
    confirmed_at: Mapped[datetime | None]
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
