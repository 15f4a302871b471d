"""What the reports and pictures ask: the past as it was known, cohorts, segments, what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from typing import cast as cast_type

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Integer,
    Row,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session

from rapport.connectors.models import OrderEventRecord
from rapport.shop.models import Order, Refund
from rapport.shop.repository import PAID
from rapport.value.counting import Currency, day_number, kept_orders
from rapport.value.models import CustomerValue


def before_and_after(session: Session, money: Currency, cut: datetime) -> list[Row[Any]]:
    """Of who had bought before `cut`: days, first day, last day and value before; days and value after.

    Earlier orders are as they were known at the cut: what was paid back or cancelled later was not yet.
    """
    dialect = session.get_bind().dialect.name
    kept = _seen_from(money, cut)
    day = day_number(kept.c.placed_at, money.day_starts, dialect)
    earlier = kept.c.placed_at < cut
    net = cast(kept.c.total - kept.c.back, Double)
    columns: list[Any] = [
        func.count(case((earlier, day)).distinct()),
        func.min(case((earlier, day))),
        func.max(case((earlier, day))),
        cast(func.sum(case((earlier, net), else_=0.0)), BigInteger),
        func.count(case((~earlier, day)).distinct()),
        cast(func.sum(case((~earlier, net), else_=0.0)), BigInteger),
    ]
    query = select(*columns).group_by(kept.c.customer_id).having(columns[0] > 0)
    return list(session.execute(query.order_by(kept.c.customer_id)))


def _seen_from(money: Currency, cut: datetime) -> Subquery:
    """Each order that counts: those before `cut` as far as was known then, later ones as they are now.

    When an order was cancelled the shop's own event says; one of which nobody knows when never counts.
    """
    refunds = (
        select(
            Refund.order_id,
            func.sum(Refund.amount_minor).label("whole"),
            func.coalesce(func.sum(Refund.amount_minor).filter(Refund.at < cut), 0).label("early"),
        )
        .where(Refund.order_id.is_not(None))
        .group_by(Refund.order_id)
        .subquery("refunds")
    )
    cancelled = (
        select(OrderEventRecord.order_id, func.min(OrderEventRecord.at).label("at"))
        .where(OrderEventRecord.kind == "cancelled", OrderEventRecord.order_id.is_not(None))
        .group_by(OrderEventRecord.order_id)
        .subquery("cancelled")
    )
    earlier = Order.placed_at < cut
    whole, early = func.coalesce(refunds.c.whole, 0), func.coalesce(refunds.c.early, 0)
    kept_then = or_(
        and_(Order.status == "cancelled", cancelled.c.at >= cut),
        and_(Order.status == "refunded", whole >= Order.total_minor, whole > early),
    )
    each = (
        select(
            Order.customer_id,
            Order.placed_at,
            Order.total_minor.label("total"),
            case((earlier, early), else_=whole).label("back"),
        )
        .outerjoin(refunds, refunds.c.order_id == Order.id)
        .outerjoin(cancelled, cancelled.c.order_id == Order.id)
        .where(
            Order.customer_id.is_not(None),
            Order.currency == money.code,
            or_(PAID, and_(earlier, kept_then)),
        )
        .subquery("each")
    )
    return select(each).where(or_(each.c.back == 0, each.c.back < each.c.total)).subquery("kept")


def first_and_last(session: Session, money: Currency) -> tuple[datetime, datetime] | None:
    """When the first and the last order that counts were placed; None without any."""
    kept = kept_orders(money, None)
    first, last = session.execute(select(func.min(kept.c.placed_at), func.max(kept.c.placed_at))).one()
    return (first, last) if first is not None else None


def cohorts(session: Session, money: Currency, months: int) -> list[tuple[int, int, int]]:
    """(period of the first order, periods later, how many of those customers bought then).

    Periods are of so many calendar months, counted from the year 0.
    """
    kept = kept_orders(money, None)
    month: ColumnElement[int]
    if session.get_bind().dialect.name == "sqlite":
        year = cast(func.strftime("%Y", kept.c.placed_at), Integer)
        month = year * 12 + cast(func.strftime("%m", kept.c.placed_at), Integer) - 1
    else:
        at = func.timezone("UTC", kept.c.placed_at)
        month = cast(func.extract("year", at) * 12 + func.extract("month", at), Integer) - 1
    # Whole periods: both databases cut off what is left of a division of integers.
    period = month.op("/", precedence=8, return_type=Integer())(literal_column(str(int(months))))
    bought = select(kept.c.customer_id, period.label("period")).distinct().subquery("bought")
    first = (
        select(bought.c.customer_id, func.min(bought.c.period).label("first"))
        .group_by(bought.c.customer_id)
        .subquery("first")
    )
    counted = (
        select(first.c.first, (bought.c.period - first.c.first).label("later"))
        .join(bought, bought.c.customer_id == first.c.customer_id)
        .subquery("counted")
    )
    rows = session.execute(
        select(counted.c.first, counted.c.later, func.count())
        .group_by(counted.c.first, counted.c.later)
        .order_by(counted.c.first, counted.c.later)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def cells(session: Session) -> list[tuple[int, int, int, str, int]]:
    """(recency, frequency, monetary, segment, customers) of all who are scored."""
    scored: list[Any] = [
        CustomerValue.recency,
        CustomerValue.frequency,
        CustomerValue.monetary,
        CustomerValue.segment,
    ]
    query: Any = select(*scored, func.count()).where(CustomerValue.segment.is_not(None)).group_by(*scored)
    return [
        (row[0], row[1], row[2], row[3], row[4]) for row in session.execute(query.order_by(*scored)).all()
    ]


def worths(session: Session) -> Iterator[Sequence[Sequence[Any]]]:
    """(segment, clv_minor, p_buy) of all who are valued, in large parts."""
    query = select(CustomerValue.segment, CustomerValue.clv_minor, CustomerValue.p_buy).where(
        CustomerValue.segment.is_not(None)
    )
    result = session.execute(query, execution_options={"stream_results": True, "yield_per": 50_000})
    yield from cast_type("Iterator[Sequence[Sequence[Any]]]", result.partitions())


def left_out(session: Session, money: Currency) -> dict[str, Any]:
    """What a valuation cannot count: orders by why, and the currencies of those in another."""
    paid = and_(Order.customer_id.is_not(None), PAID)
    others = session.execute(
        select(Order.currency, func.count())
        .where(paid, Order.currency != money.code)
        .group_by(Order.currency)
    ).all()
    nobody, gone, unpaid = session.execute(
        select(
            func.count().filter(Order.customer_id.is_(None)),
            func.count().filter(Order.customer_id.is_not(None), Order.status.in_(["cancelled", "refunded"])),
            func.count().filter(Order.customer_id.is_not(None), Order.status == "placed"),
        ).select_from(Order)
    ).one()
    return {
        "other_currencies": {row[0]: row[1] for row in others},
        "orders_of_nobody": nobody,
        "orders_cancelled_or_refunded": gone,
        "orders_not_paid": unpaid,
    }
