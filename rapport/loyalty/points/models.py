"""Points in a double-entry, append-only ledger, and what is kept beside it to find things fast.

`transaction`, `posting` and `lot_movement` are the ledger: rows are only ever added (triggers.py). The other
tables hold states that can be worked out from it; `tasks.check` compares the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base
from rapport.loyalty.points import triggers

# Movements are limited (rules.LARGEST), but not what many of them add up to.
Points = Annotated[int, mapped_column(BigInteger)]


class Account(Base):
    """Where points are counted: four for each customer (`kind`), and the shop's own other sides (`name`).

    `balance` is the sum of the account's postings, kept by a trigger. The shop's accounts have none: every
    customer's movement would wait for that one row.
    """

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("customer_id", "kind"),
        CheckConstraint(
            "kind = 'shop' OR (kind = 'debt' AND balance <= 0) OR (kind <> 'debt' AND balance >= 0)",
            name="balance_in_range",
        ),
        CheckConstraint(
            "(kind = 'shop') = (name IS NOT NULL) AND (kind = 'shop') = (balance IS NULL)",
            name="named_or_balanced",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str | None] = mapped_column(String(20), unique=True)
    balance: Mapped[Points | None]


class Transaction(Base):
    """One movement of points, never changed. `key` makes it happen once; one is reversed at most once.

    `fingerprint` tells whether the same key came with the same wish. `points` is how many it was about,
    `balance` what the customer could spend after it. `about_id` is the earlier transaction it follows from:
    the earning that matures or is taken back, the hold that ends, the spending that is restored.
    """

    __tablename__ = "transaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    points: Mapped[Points]
    balance: Mapped[Points]
    reason: Mapped[str | None] = mapped_column(String(40))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("transaction.id"), unique=True)
    about_id: Mapped[int | None] = mapped_column(ForeignKey("transaction.id"), index=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)


class Posting(Base):
    """One side of a transaction; the postings of a transaction add up to zero."""

    __tablename__ = "posting"
    __table_args__ = (Index("ix_posting_account", "account_id", "transaction_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transaction.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    points: Mapped[Points]


class Earning(Base):
    """Points credited in one go: `points`, of which `taken_back` were taken back.

    They are pending until `matured_at` is set; that is due at `matures_at`. From then on they are good until
    `expires_at`, or for `valid_days`, or for ever. Those of an order are `rate_points` for each full
    `rate_per_minor` of it: whatever the shop's rate is later, a refund is reckoned by this one.
    """

    __tablename__ = "earning"
    __table_args__ = (
        Index("ix_earning_account", "account_id", "at"),
        Index(
            "ix_earning_due",
            "matures_at",
            "id",
            sqlite_where=text("matured_at IS NULL"),
            postgresql_where=text("matured_at IS NULL"),
        ),
        CheckConstraint("taken_back BETWEEN 0 AND points", name="taken_back_in_range"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transaction.id"), unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    at: Mapped[datetime]
    points: Mapped[Points]
    taken_back: Mapped[Points] = mapped_column(default=0)
    rate_points: Mapped[Points | None]
    rate_per_minor: Mapped[int | None]
    matures_at: Mapped[datetime | None]
    matured_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    valid_days: Mapped[int | None]


class Lot(Base):
    """Spendable points that end at the same time. `remaining` is the sum of its movements, kept by a trigger.

    `lapsed` is how many of them ended unspent: when their order is returned, they are not taken once more.
    """

    __tablename__ = "lot"
    __table_args__ = (
        Index(
            "ix_lot_open",
            "account_id",
            "expires_at",
            "id",
            sqlite_where=text("remaining > 0"),
            postgresql_where=text("remaining > 0"),
        ),
        Index(
            "ix_lot_due",
            "expires_at",
            "id",
            sqlite_where=text("remaining > 0 AND expires_at IS NOT NULL"),
            postgresql_where=text("remaining > 0 AND expires_at IS NOT NULL"),
        ),
        CheckConstraint("remaining BETWEEN 0 AND points", name="remaining_in_range"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    earning_id: Mapped[int | None] = mapped_column(ForeignKey("earning.id"), index=True)
    points: Mapped[Points]
    remaining: Mapped[Points] = mapped_column(default=0)
    expires_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    lapsed: Mapped[Points] = mapped_column(default=0)


class LotMovement(Base):
    """What a transaction put into a lot, or took from it."""

    __tablename__ = "lot_movement"

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transaction.id"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    points: Mapped[Points]


class Spending(Base):
    """Points taken out of lots: held for a while (`status` held until `until`), then spent or released.

    `transaction_id` took them, `spent_id` spent them (the same one, when they were not held before).
    `restored` of them came back with refunds.
    """

    __tablename__ = "spending"
    __table_args__ = (
        Index(
            "ix_spending_due",
            "until",
            "id",
            sqlite_where=text("status = 'held'"),
            postgresql_where=text("status = 'held'"),
        ),
        CheckConstraint("restored BETWEEN 0 AND points", name="restored_in_range"),
        CheckConstraint("status IN ('held', 'spent', 'released')", name="known_status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transaction.id"), unique=True)
    spent_id: Mapped[int | None] = mapped_column(ForeignKey("transaction.id"), unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    points: Mapped[Points]
    restored: Mapped[Points] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(10))
    until: Mapped[datetime | None]


class Membership(Base):
    """A customer in the club: their level, when it may sink, and whom they were merged into."""

    __tablename__ = "membership"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    tier: Mapped[str | None] = mapped_column(String(30))
    tier_review_at: Mapped[datetime | None] = mapped_column(index=True)


class TierChange(Base):
    """A customer reached another level, with so many points earned in the club's window."""

    __tablename__ = "tier_history"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    tier: Mapped[str] = mapped_column(String(30))
    window_points: Mapped[Points]
    at: Mapped[datetime] = mapped_column(default=clock.now)


triggers.attach(Transaction.__table__, Posting.__table__, LotMovement.__table__)
