"""Offers, the coupons issued from them and their use."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rapport.kit import clock
from rapport.kit.database import Base


class Offer(Base):
    """What a rule allows: `percent` off, for whom, how often in all (`cap`), how long a code is good."""

    __tablename__ = "offer"
    __table_args__ = (CheckConstraint("cap IS NULL OR used <= cap", name="cap_kept"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    percent: Mapped[int]
    minimum_minor: Mapped[int] = mapped_column(default=0)
    min_orders: Mapped[int] = mapped_column(default=0)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    valid_days: Mapped[int] = mapped_column(default=30)
    cap: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)


class Coupon(Base):
    """A single-use code issued to one customer, in answer to the message `message_key`, if to one."""

    __tablename__ = "coupon"
    __table_args__ = (UniqueConstraint("offer_id", "customer_id", "sequence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    sequence: Mapped[int] = mapped_column(default=1)
    message_key: Mapped[str | None] = mapped_column(String(80))
    issued_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]

    offer: Mapped[Offer] = relationship()


class Redemption(Base):
    """The use of a coupon; at most one."""

    __tablename__ = "redemption"

    id: Mapped[int] = mapped_column(primary_key=True)
    coupon_id: Mapped[int] = mapped_column(ForeignKey("coupon.id"), unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
