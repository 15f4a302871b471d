"""Offers, the coupons issued from them, and what became of each coupon."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rapport.kit import clock
from rapport.kit.database import Base

# Goods of one order, and what codes cost together, may be more than 32 bits hold.
Amount = Annotated[int, mapped_column(BigInteger)]


class Offer(Base):
    """What a rule allows. The rules stand in offers.yml; these rows follow the file and count.

    `used` counts codes issued, `spent_minor` what they cost or, while they are good, can cost at most.
    `audience` holds the lists of who it is for: stages, segments, tiers, interests. `per_customer` 0: as many
    codes for one customer as the occasion brings.
    """

    __tablename__ = "offer"
    __table_args__ = (
        CheckConstraint("cap IS NULL OR used <= cap", name="cap_kept"),
        CheckConstraint("budget_minor IS NULL OR spent_minor <= budget_minor", name="budget_kept"),
        CheckConstraint("spent_minor >= 0", name="spent_from_zero"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    occasion: Mapped[str] = mapped_column(String(12), default="standing")
    kind: Mapped[str] = mapped_column(String(10), default="percent")
    percent: Mapped[int] = mapped_column(default=0)
    amount_minor: Mapped[Amount] = mapped_column(default=0)
    gift_sku: Mapped[str | None] = mapped_column(String(60))
    minimum_minor: Mapped[int] = mapped_column(default=0)
    max_discount_minor: Mapped[Amount | None]
    min_orders: Mapped[int] = mapped_column(default=0)
    max_orders: Mapped[int | None]
    audience: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    valid_days: Mapped[int] = mapped_column(default=30)
    cap: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    per_customer: Mapped[int] = mapped_column(default=1)
    budget_minor: Mapped[Amount | None]
    spent_minor: Mapped[Amount] = mapped_column(default=0)
    chance: Mapped[float | None]
    after_days: Mapped[int] = mapped_column(default=0)
    stacking: Mapped[str] = mapped_column(String(40), default="exclusive")
    keep_margin: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)


# The states in which a code can still be used.
GOOD = ("issued", "held")


class Coupon(Base):
    """A single-use code issued to one customer, with the terms the offer had then.

    `state`: issued (good, also when a hold was released), held (by `holder`, until `held_until`), redeemed,
    expired, revoked. `message_key`: the message it answers, if any; `grant_key`: the occasion it was given
    for, so that it is given once. `reserved_minor` is what it can cost at most, as far as that is known;
    `cost_minor` what it did cost. `reason` is why it was issued, as things stood then.
    `excused`: it was revoked for a mistake of the shop's, so the customer may get another.
    """

    __tablename__ = "coupon"
    __table_args__ = (
        UniqueConstraint("offer_id", "customer_id", "sequence"),
        Index("ix_coupon_state_expires_at", "state", "expires_at"),
        # All that figures ask of codes that were used, so that it is read without the table.
        Index("ix_coupon_redeemed", "redeemed_at", "order_id", "discount_minor", "cost_minor"),
        CheckConstraint("(state = 'redeemed') = (redeemed_at IS NOT NULL)", name="redeemed_at_some_time"),
        CheckConstraint("(state = 'held') = (holder IS NOT NULL)", name="held_by_someone"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    sequence: Mapped[int] = mapped_column(default=1)
    message_key: Mapped[str | None] = mapped_column(String(80))
    grant_key: Mapped[str | None] = mapped_column(String(160), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="issued")
    occasion: Mapped[str] = mapped_column(String(12), default="standing")
    kind: Mapped[str] = mapped_column(String(10), default="percent")
    percent: Mapped[int] = mapped_column(default=0)
    amount_minor: Mapped[Amount] = mapped_column(default=0)
    gift_sku: Mapped[str | None] = mapped_column(String(60))
    minimum_minor: Mapped[Amount] = mapped_column(default=0)
    max_discount_minor: Mapped[Amount | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    stacking: Mapped[str] = mapped_column(String(40), default="exclusive")
    keep_margin: Mapped[bool] = mapped_column(default=False)
    issued_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    starts_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    reserved_minor: Mapped[Amount] = mapped_column(default=0)
    cost_minor: Mapped[Amount | None]
    discount_minor: Mapped[Amount | None]
    holder: Mapped[str | None] = mapped_column(String(160))
    held_until: Mapped[datetime | None]
    redeemed_at: Mapped[datetime | None]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    reason: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    excused: Mapped[bool] = mapped_column(default=False)

    offer: Mapped[Offer] = relationship()


class CouponEvent(Base):
    """Append-only: everything done with a coupon, and everything refused, with the reason.

    `kind`: issued, checked, held, released, redeemed, rolled_back, expired, revoked, refused; of what was
    refused `action` says what was tried, of a use that should not have been `reason` says why. `key` makes it
    happen once, `fingerprint` tells whether a repetition is one. A code nobody issued leaves no more than
    that it was tried.
    """

    __tablename__ = "coupon_event"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    coupon_id: Mapped[int | None] = mapped_column(ForeignKey("coupon.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    action: Mapped[str | None] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(60))
    key: Mapped[str | None] = mapped_column(String(160))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    order_minor: Mapped[Amount | None]
    discount_minor: Mapped[Amount | None]
    until: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(default=clock.now)
