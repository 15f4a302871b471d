"""What each customer is worth, and the runs that found it out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class ModelRun(Base):
    """One valuation of all customers; the newest counts, from the moment it is stored.

    `as_of` is the moment the customers were looked at from; `live` is False when that is the end of old data
    and not the time of the run. `method` is model or rules, `reason` says why in plain words. `model` holds
    the fitted parameters with their uncertainty, `shop` what the shop's customers have in common, `left_out`
    what could not be counted in. `finished_at` is None until all customers carry the new values.
    """

    __tablename__ = "model_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
    as_of: Mapped[datetime]
    live: Mapped[bool]
    method: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(String(3))
    customers: Mapped[int]
    orders: Mapped[int]
    shop: Mapped[dict[str, Any]] = mapped_column(JSON)
    model: Mapped[dict[str, Any]] = mapped_column(JSON)
    left_out: Mapped[dict[str, Any]] = mapped_column(JSON)


class RfmCut(Base):
    """The least value that gets `score` (2 to 5) for `measure` in a run; what is below all of them gets 1.

    recency is in days since 1970 (the day of the last order), frequency in orders, monetary in minor units.
    """

    __tablename__ = "rfm_cut"

    run_id: Mapped[int] = mapped_column(ForeignKey("model_run.id"), primary_key=True)
    measure: Mapped[str] = mapped_column(String(10), primary_key=True)
    score: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    at_least: Mapped[int] = mapped_column(BigInteger)


class CustomerValue(Base):
    """What a customer bought, kept and is worth. Nobody who never ordered has a row.

    Counted are paid orders in the shop's currency that were neither cancelled nor paid back in full, and
    their value without what was paid back, in minor units. `buying_days` are the different days of these
    orders. `costed_minor` is the part whose cost is known, after discounts, and `margin_minor` what of it is
    left after the cost. The rest is None until a run has looked at the shop and its customers. `version`
    counts the changes, so that a run does not write over what is newer than what it read. `segment_counted`
    is the segment they were last counted in (rapport/insight/segments.py).
    """

    __tablename__ = "customer_value"
    __table_args__ = (
        Index("ix_customer_value_expected", "expected_next_at", "customer_id"),
        Index("ix_customer_value_worth", "segment", "revenue_minor", "customer_id"),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True, autoincrement=False)
    orders: Mapped[int]
    buying_days: Mapped[int]
    first_order_at: Mapped[datetime | None]
    last_order_at: Mapped[datetime | None]
    revenue_minor: Mapped[int] = mapped_column(BigInteger)
    costed_minor: Mapped[int] = mapped_column(BigInteger)
    margin_minor: Mapped[int] = mapped_column(BigInteger)
    recency: Mapped[int | None] = mapped_column(SmallInteger)
    frequency: Mapped[int | None] = mapped_column(SmallInteger)
    monetary: Mapped[int | None] = mapped_column(SmallInteger)
    segment: Mapped[str | None] = mapped_column(String(30), index=True)
    segment_counted: Mapped[str | None] = mapped_column(String(30))
    p_buy: Mapped[float | None]
    expected_next_at: Mapped[datetime | None]
    clv_minor: Mapped[int | None] = mapped_column(BigInteger)
    clv_low_minor: Mapped[int | None] = mapped_column(BigInteger)
    clv_high_minor: Mapped[int | None] = mapped_column(BigInteger)
    method: Mapped[str | None] = mapped_column(String(10))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("model_run.id"))
    version: Mapped[int] = mapped_column(default=1)
    computed_at: Mapped[datetime] = mapped_column(default=clock.now)
