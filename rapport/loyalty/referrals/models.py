"""Customers who bring others: each one's code, and who came by it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class ReferralCode(Base):
    """What a customer gives to friends; one each."""

    __tablename__ = "referral_code"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    made_at: Mapped[datetime] = mapped_column(default=clock.now)


class Referral(Base):
    """Who brought whom; one per referee.

    `state`: claimed → ordered (`order_id`, to be rewarded at `due_at`) → rewarded, or void with a `reason`.
    `coupon_id` is what the referee was given, `points` what the referrer got.
    """

    __tablename__ = "referral"
    __table_args__ = (
        CheckConstraint("referrer_id <> referee_id", name="two_people"),
        Index("ix_referral_referrer_id_settled_at", "referrer_id", "settled_at"),
        Index("ix_referral_state_due_at", "state", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    referrer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    referee_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), unique=True)
    key: Mapped[str] = mapped_column(String(160), unique=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default="claimed")
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    coupon_id: Mapped[int | None] = mapped_column(ForeignKey("coupon.id"))
    points: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(40))
    claimed_at: Mapped[datetime] = mapped_column(default=clock.now)
    due_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
