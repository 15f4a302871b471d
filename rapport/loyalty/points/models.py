"""Points in a double-entry, append-only ledger."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rapport.kit import clock
from rapport.kit.database import Base


class Account(Base):
    """Where points are counted: one per customer, and the shop's own other sides (`issued`, `redeemed`)."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), unique=True)
    name: Mapped[str | None] = mapped_column(String(20), unique=True)


class Transaction(Base):
    """One movement of points, never changed. `key` makes it happen once; one is reversed at most once."""

    __tablename__ = "transaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("transaction.id"), unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)

    postings: Mapped[list[Posting]] = relationship(back_populates="transaction")


class Posting(Base):
    """One side of a transaction; the postings of a transaction add up to zero."""

    __tablename__ = "posting"
    __table_args__ = (Index("ix_posting_account", "account_id", "points"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("transaction.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    points: Mapped[int]

    transaction: Mapped[Transaction] = relationship(back_populates="postings")
