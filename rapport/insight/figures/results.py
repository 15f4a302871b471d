"""What came of it: codes and what was bought with them, cases, and how segments changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, cast, func, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.insight.figures.common import (
    FIRST,
    LAST,
    Filters,
    Shape,
    Spans,
    of_conversations,
    table_of_parts,
    total,
    within,
)
from rapport.insight.models import SegmentMove, SegmentSize
from rapport.insight.rules import Period
from rapport.kit.database import UtcDateTime
from rapport.loyalty.offers.models import Coupon
from rapport.shop.models import Order, OrderItem, Product

# Orders that came to nothing bring no revenue.
UNDONE = ("cancelled", "refunded")
EARLIER, BEGIN, END, NOW = (
    bindparam(name, type_=UtcDateTime()) for name in ("earlier", "begin", "end", "now")
)


@dataclass(frozen=True)
class Codes:
    """Codes given out and used in a period. Sums in minor units; what goods cost is known of
    `costed_orders`.
    """

    issued: int
    used: int
    discount_minor: int
    orders: int
    revenue_minor: int
    costed_orders: int
    margin_minor: int


@dataclass(frozen=True)
class Work:
    """Cases opened and resolved in a period."""

    opened: int
    resolved: int
    in_time: int


def codes(session: Session, spans: Spans, currency: str) -> tuple[Codes, Codes, tuple[list[int], list[int]]]:
    """What offers came to in the period, in the one before, and how many codes were given out and used in
    each part. A code belongs to a customer, so there is no channel or language to it.
    """
    issued = {row[0]: row[1] for row in session.execute(_issued(spans.count), spans.values)}
    used = {row[0]: (row[1], row[2]) for row in session.execute(_used(spans.count), spans.values)}
    limits = {**spans.now, "earlier": spans.before["begin"], "currency": currency}
    orders = {inside: sums for inside, *sums in session.execute(_ORDERS, limits)}

    def period(parts: Sequence[int], inside: bool) -> Codes:
        return Codes(
            sum(issued.get(part, 0) for part in parts),
            sum(used[part][0] for part in parts if part in used),
            sum(used[part][1] for part in parts if part in used),
            *orders.get(inside, [0] * 4),
        )

    by_part = (
        [issued.get(part, 0) for part in spans.parts],
        [used[part][0] if part in used else 0 for part in spans.parts],
    )
    return period(spans.parts, True), period([-1], False), by_part


@cache
def _issued(count: int) -> Select[*tuple[Any, ...]]:
    part = table_of_parts(count)
    query = select(part.c.number, func.count()).join(Coupon, and_(*within(Coupon.issued_at, part)))
    return query.group_by(part.c.number)


@cache
def _used(count: int) -> Select[*tuple[Any, ...]]:
    part = table_of_parts(count)
    discount = total(func.coalesce(Coupon.discount_minor, Coupon.cost_minor, 0))
    query = select(part.c.number, func.count(), discount)
    return query.join(Coupon, and_(*within(Coupon.redeemed_at, part))).group_by(part.c.number)


def work(session: Session, spans: Spans, filters: Filters) -> tuple[Work, Work, tuple[list[int], list[int]]]:
    """Cases of all kinds: in the period, in the one before, and how many were opened and resolved in each
    part.
    """
    values = {**spans.values, **filters.values}
    opened, resolved, in_time = [0] * spans.count, [0] * spans.count, [0] * spans.count
    for part, number in session.execute(_opened(spans.count, filters.shape), values):
        opened[part] = number  # the last is that of the period before
    for part, number, early in session.execute(_resolved(spans.count, filters.shape), values):
        resolved[part], in_time[part] = number, early
    now, before = (
        Work(sum(opened[some]), sum(resolved[some]), sum(in_time[some]))
        for some in (slice(-1), slice(-1, None))
    )
    return now, before, (opened[:-1], resolved[:-1])


@cache
def _opened(count: int, shape: Shape) -> Select[*tuple[Any, ...]]:
    part = table_of_parts(count)
    query = select(part.c.number, func.count()).join(Case, and_(*within(Case.opened_at, part)))
    return of_conversations(query.group_by(part.c.number), Case, shape)


@cache
def _resolved(count: int, shape: Shape) -> Select[*tuple[Any, ...]]:
    part = table_of_parts(count)
    query = select(
        part.c.number, func.count(), total(case((Case.resolved_at <= Case.due_at, 1), else_=0))
    ).join(Case, and_(Case.resolved_at.is_not(None), *within(Case.resolved_at, part)))
    return of_conversations(query.group_by(part.c.number), Case, shape)


def overdue(session: Session, now: datetime, filters: Filters) -> int:
    """Cases that are overdue at this moment."""
    return session.scalar(_overdue(filters.shape), {"now": now, **filters.values}) or 0


@cache
def _overdue(shape: Shape) -> Select[*tuple[Any, ...]]:
    query = select(func.count()).select_from(Case).where(Case.resolved_at.is_(None), Case.due_at < NOW)
    return of_conversations(query, Case, shape)


def segment_sizes(session: Session, spans: Spans) -> list[dict[str, int] | None]:
    """How many customers each segment had when they were last counted in each part; None if they were not."""
    found: list[dict[str, int] | None] = [None for _ in spans.parts]
    for part, segment, customers in session.execute(_sizes(spans.count), spans.day_values):
        if part >= 0:
            sizes = found[part] = found[part] or {}
            sizes[segment] = customers
    return found


@cache
def _sizes(count: int) -> Select[*tuple[Any, ...]]:
    part = table_of_parts(count, "day")
    last = (
        select(func.max(SegmentSize.day))
        .where(*within(SegmentSize.day, part))
        .correlate(part)
        .scalar_subquery()
    )
    return select(part.c.number, SegmentSize.segment, SegmentSize.customers).join(
        SegmentSize, SegmentSize.day == last
    )


def segment_moves(session: Session, period: Period) -> dict[tuple[str, str], int]:
    """How many times a customer went from one segment to another in a period."""
    found = session.execute(_MOVES, {"first": period.first, "last": period.last})
    return {(before, after): number for before, after, number in found}


_MOVES = (
    select(SegmentMove.from_segment, SegmentMove.to_segment, cast(func.sum(SegmentMove.customers), Integer))
    .where(SegmentMove.day.between(FIRST, LAST))
    .group_by(SegmentMove.from_segment, SegmentMove.to_segment)
)


def _redeemed(begin: ColumnElement[datetime]) -> Select[int | None]:
    # Some were used where nobody tells of the order. Among them no number would be known to be missing.
    used = select(Coupon.order_id).where(Coupon.redeemed_at >= begin, Coupon.redeemed_at < END)
    return used.where(Coupon.order_id.is_not(None))


# From the codes to their orders, and from these to what was in them: all of it by numbers, and of both
# periods at once, as PostgreSQL may read all orders for it. (All codes of an order are used in one moment.)
_bought = (
    select(
        Order.id.in_(_redeemed(BEGIN)).label("inside"),
        Order.total_minor,
        func.sum(OrderItem.quantity * Product.cost_minor).label("cost"),
        (func.count() - func.count(Product.cost_minor)).label("unknown"),
    )
    .select_from(Order)
    .outerjoin(OrderItem, OrderItem.order_id == Order.id)
    .outerjoin(Product, Product.id == OrderItem.product_id)
    .where(
        Order.id.in_(_redeemed(EARLIER)), Order.currency == bindparam("currency"), Order.status.not_in(UNDONE)
    )
    .group_by(Order.id)
    .subquery()
)
_known = _bought.c.unknown == 0
_ORDERS = select(
    _bought.c.inside,
    func.count(),
    total(_bought.c.total_minor),
    total(case((_known, 1), else_=0)),
    total(case((_known, _bought.c.total_minor - _bought.c.cost), else_=0)),
).group_by(_bought.c.inside)
