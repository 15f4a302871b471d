"""The figures of a period, each one question to the database. (Talks and messages are counted by the day
beforehand: counting.py.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations.models import Conversation, Handoff
from rapport.insight.counting import seconds
from rapport.insight.models import IntentDay, Satisfaction, SegmentMove, SegmentSize, TalkDay
from rapport.insight.rules import BEST, Period
from rapport.kit.database import UtcDateTime
from rapport.loyalty.offers.models import Coupon
from rapport.shop.models import Order, OrderItem, Product

# Orders that came to nothing bring no revenue.
UNDONE = ("cancelled", "refunded")


@dataclass(frozen=True)
class Filters:
    """None: all of them."""

    channel: str | None = None
    language: str | None = None

    def __bool__(self) -> bool:
        return bool(self.channel or self.language)


@dataclass(frozen=True)
class Waits:
    """Hand-overs asked for in a period, and how long customers waited, in seconds; None where nobody did."""

    asked: int
    taken: int
    taken_median: int | None
    taken_p90: int | None
    answer_median: int | None
    answer_p90: int | None


@dataclass(frozen=True)
class Scores:
    """How the help was, of those asked in a period. `counts`: how many gave 1 to 5, by who helped."""

    asked: dict[str, int]
    counts: dict[str, list[int]]

    def of(self, who: str | None = None) -> list[int]:
        """How many gave 1, 2, 3, 4, 5."""
        chosen = [counts for helper, counts in self.counts.items() if who in (None, helper)]
        return [sum(column) for column in zip(*chosen, strict=True)] if chosen else [0] * BEST

    def asked_of(self, who: str | None = None) -> int:
        return sum(number for helper, number in self.asked.items() if who in (None, helper))

    def average(self, who: str | None = None) -> float | None:
        counts = self.of(who)
        total = sum(counts)
        return sum(score * number for score, number in enumerate(counts, 1)) / total if total else None


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


def talk_days(session: Session, first: date, last: date, filters: Filters) -> list[dict[str, Any]]:
    """The counted days."""
    table: Any = TalkDay.__table__
    query = _filtered(select(table).where(table.c.day.between(first, last)), table.c, filters)
    return [dict(row) for row in session.execute(query).mappings()]


def intents(session: Session, period: Period, filters: Filters) -> dict[str, int]:
    """How many messages of the counted days were understood as what."""
    query = (
        select(IntentDay.intent, cast(func.sum(IntentDay.messages), Integer))
        .where(IntentDay.day.between(period.first, period.last))
        .group_by(IntentDay.intent)
    )
    return {row[0]: row[1] for row in session.execute(_filtered(query, IntentDay, filters))}


def waits(session: Session, begin: datetime, end: datetime, filters: Filters) -> Waits:
    """Of the hand-overs customers asked for; what staff took unasked made nobody wait."""
    asked = _asked_for(begin, end)
    query = _of_conversations(
        select(func.count(), func.count(Handoff.taken_at)).where(*asked), Handoff, filters
    )
    number, taken = session.execute(query).one()
    return Waits(
        number,
        taken,
        *_spread(session, Handoff.taken_at, asked, filters),
        *_spread(session, Handoff.first_answer_at, asked, filters),
    )


def handoffs_by_part(
    session: Session, parts: Sequence[Period], timezone: str, filters: Filters
) -> dict[int, int]:
    """How many hand-overs were asked for in each part of a period."""
    part = _parts(parts, timezone)
    query = select(part.c.number, func.count()).join(Handoff, and_(*_asked_for(part.c.begin, part.c.finish)))
    return _by_part(session, _of_conversations(query, Handoff, filters), part)


def scores(session: Session, begin: datetime, end: datetime, filters: Filters) -> Scores:
    """Of those who were asked between two moments."""
    query = (
        select(Satisfaction.handled_by, Satisfaction.score, func.count())
        .where(Satisfaction.asked_at >= begin, Satisfaction.asked_at < end)
        .group_by(Satisfaction.handled_by, Satisfaction.score)
    )
    found = Scores({}, {})
    for who, score, number in session.execute(_of_conversations(query, Satisfaction, filters)):
        found.asked[who] = found.asked.get(who, 0) + number
        counts = found.counts.setdefault(who, [0] * BEST)
        if score is not None:
            counts[score - 1] += number
    return found


def scores_by_part(
    session: Session, parts: Sequence[Period], timezone: str, filters: Filters
) -> dict[int, float]:
    """The average of those asked in each part of a period."""
    part = _parts(parts, timezone)
    query = select(part.c.number, func.avg(Satisfaction.score)).join(
        Satisfaction,
        and_(
            Satisfaction.asked_at >= part.c.begin,
            Satisfaction.asked_at < part.c.finish,
            Satisfaction.score.is_not(None),
        ),
    )
    found = _by_part(session, _of_conversations(query, Satisfaction, filters), part)
    return {number: float(average) for number, average in found.items()}


def codes(session: Session, begin: datetime, end: datetime, currency: str) -> Codes:
    """What offers came to. A code belongs to a customer, so there is no channel or language to it."""
    issued = session.scalar(select(func.count()).where(Coupon.issued_at >= begin, Coupon.issued_at < end))
    redeemed = and_(Coupon.redeemed_at >= begin, Coupon.redeemed_at < end)
    used, discount = session.execute(
        select(func.count(), _sum(func.coalesce(Coupon.discount_minor, Coupon.cost_minor, 0))).where(redeemed)
    ).one()
    spent = (
        select(
            OrderItem.order_id,
            func.sum(OrderItem.quantity * Product.cost_minor).label("cost"),
            (func.count() - func.count(Product.cost_minor)).label("unknown"),
        )
        .outerjoin(Product, Product.id == OrderItem.product_id)
        .where(OrderItem.order_id.in_(select(Coupon.order_id).where(redeemed)))
        .group_by(OrderItem.order_id)
        .subquery()
    )
    known = spent.c.unknown == 0
    orders, revenue, costed, margin = session.execute(
        select(
            func.count(),
            _sum(Order.total_minor),
            _sum(case((known, 1), else_=0)),
            _sum(case((known, Order.total_minor - spent.c.cost), else_=0)),
        )
        .select_from(Order)
        .outerjoin(spent, spent.c.order_id == Order.id)
        .where(
            Order.currency == currency,
            Order.status.not_in(UNDONE),
            exists().where(Coupon.order_id == Order.id, redeemed),
        )
    ).one()
    return Codes(issued or 0, used, discount, orders, revenue, costed, margin)


def codes_by_part(
    session: Session, parts: Sequence[Period], timezone: str
) -> tuple[dict[int, int], dict[int, int]]:
    """How many codes were given out and used in each part of a period."""
    part = _parts(parts, timezone)
    given, used = (
        _by_part(
            session,
            select(part.c.number, func.count()).join(
                Coupon, and_(column >= part.c.begin, column < part.c.finish)
            ),
            part,
        )
        for column in (Coupon.issued_at, Coupon.redeemed_at)
    )
    return given, used


def work(session: Session, begin: datetime, end: datetime, filters: Filters) -> Work:
    """Cases of all kinds."""
    opened = select(func.count()).where(Case.opened_at >= begin, Case.opened_at < end)
    resolved = select(func.count(), _sum(case((Case.resolved_at <= Case.due_at, 1), else_=0))).where(
        Case.resolved_at >= begin, Case.resolved_at < end, Case.resolved_at.is_not(None)
    )
    number = session.scalar(_of_conversations(opened, Case, filters)) or 0
    done, in_time = session.execute(_of_conversations(resolved, Case, filters)).one()
    return Work(number, done, in_time)


def overdue(session: Session, now: datetime, filters: Filters) -> int:
    """Cases that are overdue at this moment."""
    query = select(func.count()).where(Case.resolved_at.is_(None), Case.due_at < now)
    return session.scalar(_of_conversations(query, Case, filters)) or 0


def work_by_part(
    session: Session, parts: Sequence[Period], timezone: str, filters: Filters
) -> tuple[dict[int, int], dict[int, int]]:
    """How many cases were opened and resolved in each part of a period."""
    part = _parts(parts, timezone)
    opened, resolved = (
        _by_part(
            session,
            _of_conversations(
                select(part.c.number, func.count()).join(
                    Case, and_(column.is_not(None), column >= part.c.begin, column < part.c.finish)
                ),
                Case,
                filters,
            ),
            part,
        )
        for column in (Case.opened_at, Case.resolved_at)
    )
    return opened, resolved


def segment_sizes(session: Session, period: Period) -> dict[date, dict[str, int]]:
    """How many customers each segment had, by the days on which they were counted."""
    query = select(SegmentSize).where(SegmentSize.day.between(period.first, period.last))
    found: dict[date, dict[str, int]] = {}
    for row in session.scalars(query.order_by(SegmentSize.day)):
        found.setdefault(row.day, {})[row.segment] = row.customers
    return found


def segment_moves(session: Session, period: Period) -> dict[tuple[str, str], int]:
    """How many times a customer went from one segment to another in a period."""
    query = (
        select(
            SegmentMove.from_segment, SegmentMove.to_segment, cast(func.sum(SegmentMove.customers), Integer)
        )
        .where(SegmentMove.day.between(period.first, period.last))
        .group_by(SegmentMove.from_segment, SegmentMove.to_segment)
    )
    return {(before, after): number for before, after, number in session.execute(query)}


def _asked_for(begin: Any, end: Any) -> list[ColumnElement[bool]]:
    by_staff = Handoff.taken_at.is_not(None) & (Handoff.taken_at <= Handoff.requested_at)
    return [Handoff.requested_at >= begin, Handoff.requested_at < end, ~by_staff]


def _spread(
    session: Session, until: Any, asked: list[ColumnElement[bool]], filters: Filters
) -> tuple[int | None, int | None]:
    """(median, what nine of ten stayed within) of the seconds from being asked for, by nearest rank."""
    waited = (seconds(session, until) - seconds(session, Handoff.requested_at)).label("waited")
    ranked = _of_conversations(
        select(
            waited,
            func.row_number().over(order_by=waited).label("rank"),
            func.count().over().label("number"),
        ).where(*asked, until.is_not(None)),
        Handoff,
        filters,
    ).subquery()
    at = [
        func.max(case((ranked.c.rank == (ranked.c.number * percent + 99) // 100, ranked.c.waited)))
        for percent in (50, 90)
    ]
    median, ninety = session.execute(select(at[0], at[1])).one()
    return median, ninety


def _filtered(query: Select[*tuple[Any, ...]], columns: Any, filters: Filters) -> Select[*tuple[Any, ...]]:
    for column, wanted in ((columns.channel, filters.channel), (columns.language, filters.language)):
        query = query if wanted is None else query.where(column == wanted)
    return query


def _of_conversations(
    query: Select[*tuple[Any, ...]], table: Any, filters: Filters
) -> Select[*tuple[Any, ...]]:
    """Only of conversations on this channel, in this language."""
    if not filters:
        return query
    whose = _filtered(select(Conversation.id), Conversation, filters)
    return query.where(whose.where(Conversation.id == table.conversation_id).exists())


def _parts(parts: Sequence[Period], timezone: str) -> Any:
    """The parts of a period as a table: number, begin, finish."""
    rows = []
    for number, part in enumerate(parts):
        begin, finish = part.moments(timezone)
        rows.append(
            select(
                literal(number).label("number"),
                literal(begin, UtcDateTime()).label("begin"),
                literal(finish, UtcDateTime()).label("finish"),
            )
        )
    return (union_all(*rows) if len(rows) > 1 else rows[0]).cte("part")


def _by_part(session: Session, query: Select[*tuple[Any, ...]], part: Any) -> dict[int, Any]:
    return {row[0]: row[1] for row in session.execute(query.group_by(part.c.number))}


def _sum(expression: Any) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(expression), 0), BigInteger)
