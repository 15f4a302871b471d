"""The figures of a period and of the one before it, with one question to the database for each kind.
(Talks and messages are counted by the day beforehand: counting.py.)

Statements are built once for each way to filter: building one costs more than running it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations.models import Conversation, Handoff
from rapport.insight.counting import seconds
from rapport.insight.models import IntentDay, Satisfaction, SegmentMove, SegmentSize, TalkDay
from rapport.insight.rules import BEST, Period, rank
from rapport.kit.database import UtcDateTime
from rapport.loyalty.offers.models import Coupon
from rapport.shop.models import Order, OrderItem, Product

# Orders that came to nothing bring no revenue.
UNDONE = ("cancelled", "refunded")
# Whether there is a filter by channel and one by language.
Shape = tuple[bool, bool]
FIRST, LAST, MIDDLE = (bindparam(name, type_=Date) for name in ("first", "last", "middle"))
BEGIN, END, NOW = (bindparam(name, type_=UtcDateTime()) for name in ("begin", "end", "now"))


@dataclass(frozen=True)
class Filters:
    """None: all of them."""

    channel: str | None = None
    language: str | None = None

    def __bool__(self) -> bool:
        return bool(self.channel or self.language)

    @property
    def shape(self) -> Shape:
        """Which of them there are: statements differ by that."""
        return self.channel is not None, self.language is not None

    @property
    def values(self) -> dict[str, Any]:
        return {"channel": self.channel, "language": self.language}


@dataclass(frozen=True)
class Spans:
    """The period before (number -1) and the parts of a period (from 0), by the moments between them."""

    moments: tuple[datetime, ...]

    @classmethod
    def of(cls, period: Period, parts: Sequence[Period], timezone: str) -> Spans:
        begins = (period.before.moments(timezone)[0], *(part.moments(timezone)[0] for part in parts))
        return cls((*begins, period.moments(timezone)[1]))

    @property
    def count(self) -> int:
        return len(self.moments) - 1

    @property
    def parts(self) -> range:
        return range(self.count - 1)

    @property
    def now(self) -> dict[str, Any]:
        return {"begin": self.moments[1], "end": self.moments[-1]}

    @property
    def before(self) -> dict[str, Any]:
        return {"begin": self.moments[0], "end": self.moments[1]}

    @property
    def values(self) -> dict[str, Any]:
        return {f"moment_{number}": at for number, at in enumerate(self.moments)}


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
    found = session.execute(_talk_days(filters.shape), {"first": first, "last": last, **filters.values})
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


@cache
def _talk_days(shape: Shape) -> Select[*tuple[Any, ...]]:
    table: Any = TalkDay.__table__
    return _filtered(select(table).where(table.c.day.between(FIRST, LAST)), table.c, shape)


def intents(
    session: Session, period: Period, live: Sequence[date], filters: Filters
) -> tuple[dict[str, int], dict[str, int]]:
    """How many messages of the counted days were understood as what, in a period and in the one before."""
    days = {"first": period.before.first, "middle": period.first, "last": period.last, "live": live}
    now: dict[str, int] = {}
    before: dict[str, int] = {}
    for intent, of_both, later in session.execute(_intents(filters.shape), {**days, **filters.values}):
        if later:
            now[intent] = later
        if of_both - later:
            before[intent] = of_both - later
    return now, before


@cache
def _intents(shape: Shape) -> Select[*tuple[Any, ...]]:
    query = (
        select(
            IntentDay.intent,
            cast(func.sum(IntentDay.messages), Integer),
            cast(func.sum(case((IntentDay.day >= MIDDLE, IntentDay.messages), else_=0)), Integer),
        )
        .where(
            IntentDay.day.between(FIRST, LAST),
            IntentDay.day.not_in(bindparam("live", type_=Date, expanding=True)),
        )
        .group_by(IntentDay.intent)
    )
    return _filtered(query, IntentDay, shape)


def waits(session: Session, spans: Spans, filters: Filters) -> tuple[Waits, Waits, list[int]]:
    """Of the hand-overs customers asked for (what staff took unasked made nobody wait): in the period, in the
    one before, and how many there were in each part.
    """
    statement = _waits(session.get_bind().dialect.name, spans.count, filters.shape)
    asked = session.execute(statement, {**spans.values, **filters.values}).all()
    by_part = [0] * spans.count
    for number, _, _ in asked:
        by_part[number] += 1  # the last is that of the period before
    now, before = (_waited([row for row in asked if (row[0] < 0) is earlier]) for earlier in (False, True))
    return now, before, by_part[:-1]


@cache
def _waits(dialect: str, count: int, shape: Shape) -> Select[*tuple[Any, ...]]:
    part = _parts(count)
    at = seconds(dialect, Handoff.requested_at)
    by_staff = Handoff.taken_at.is_not(None) & (Handoff.taken_at <= Handoff.requested_at)
    query = select(
        part.c.number,
        seconds(dialect, Handoff.taken_at) - at,
        seconds(dialect, Handoff.first_answer_at) - at,
    ).join(Handoff, and_(*_within(Handoff.requested_at, part), ~by_staff))
    return _of_conversations(query, Handoff, shape)


def _waited(asked: Sequence[Any]) -> Waits:
    taken = sorted(row[1] for row in asked if row[1] is not None)
    answered = sorted(row[2] for row in asked if row[2] is not None)
    return Waits(
        len(asked), len(taken), rank(taken, 50), rank(taken, 90), rank(answered, 50), rank(answered, 90)
    )


def scores(session: Session, spans: Spans, filters: Filters) -> tuple[Scores, Scores, list[float | None]]:
    """Of those who were asked in the period, in the one before, and the average of each part."""
    now, before = Scores({}, {}), Scores({}, {})
    given, sums = [0] * spans.count, [0] * spans.count
    found = session.execute(_scores(spans.count, filters.shape), {**spans.values, **filters.values})
    for part, who, score, number in found:
        period = before if part < 0 else now
        period.asked[who] = period.asked.get(who, 0) + number
        counts = period.counts.setdefault(who, [0] * BEST)
        if score is not None:
            counts[score - 1] += number
            given[part] += number
            sums[part] += number * score
    return now, before, [sums[part] / given[part] if given[part] else None for part in spans.parts]


@cache
def _scores(count: int, shape: Shape) -> Select[*tuple[Any, ...]]:
    part = _parts(count)
    query = (
        select(part.c.number, Satisfaction.handled_by, Satisfaction.score, func.count())
        .join(Satisfaction, and_(*_within(Satisfaction.asked_at, part)))
        .group_by(part.c.number, Satisfaction.handled_by, Satisfaction.score)
    )
    return _of_conversations(query, Satisfaction, shape)


def codes(session: Session, spans: Spans, currency: str) -> tuple[Codes, Codes, tuple[list[int], list[int]]]:
    """What offers came to in the period, in the one before, and how many codes were given out and used in
    each part. A code belongs to a customer, so there is no channel or language to it.
    """
    issued = {row[0]: row[1] for row in session.execute(_issued(spans.count), spans.values)}
    used = {row[0]: (row[1], row[2]) for row in session.execute(_used(spans.count), spans.values)}

    def period(parts: Sequence[int], moments: Mapping[str, Any]) -> Codes:
        return Codes(
            sum(issued.get(part, 0) for part in parts),
            sum(used[part][0] for part in parts if part in used),
            sum(used[part][1] for part in parts if part in used),
            *session.execute(_ORDERS, {**moments, "currency": currency}).one(),
        )

    by_part = (
        [issued.get(part, 0) for part in spans.parts],
        [used[part][0] if part in used else 0 for part in spans.parts],
    )
    return period(spans.parts, spans.now), period([-1], spans.before), by_part


@cache
def _issued(count: int) -> Select[*tuple[Any, ...]]:
    part = _parts(count)
    query = select(part.c.number, func.count()).join(Coupon, and_(*_within(Coupon.issued_at, part)))
    return query.group_by(part.c.number)


@cache
def _used(count: int) -> Select[*tuple[Any, ...]]:
    part = _parts(count)
    discount = _sum(func.coalesce(Coupon.discount_minor, Coupon.cost_minor, 0))
    query = select(part.c.number, func.count(), discount)
    return query.join(Coupon, and_(*_within(Coupon.redeemed_at, part))).group_by(part.c.number)


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
    part = _parts(count)
    query = select(part.c.number, func.count()).join(Case, and_(*_within(Case.opened_at, part)))
    return _of_conversations(query.group_by(part.c.number), Case, shape)


@cache
def _resolved(count: int, shape: Shape) -> Select[*tuple[Any, ...]]:
    part = _parts(count)
    query = select(
        part.c.number, func.count(), _sum(case((Case.resolved_at <= Case.due_at, 1), else_=0))
    ).join(Case, and_(Case.resolved_at.is_not(None), *_within(Case.resolved_at, part)))
    return _of_conversations(query.group_by(part.c.number), Case, shape)


def overdue(session: Session, now: datetime, filters: Filters) -> int:
    """Cases that are overdue at this moment."""
    return session.scalar(_overdue(filters.shape), {"now": now, **filters.values}) or 0


@cache
def _overdue(shape: Shape) -> Select[*tuple[Any, ...]]:
    query = select(func.count()).select_from(Case).where(Case.resolved_at.is_(None), Case.due_at < NOW)
    return _of_conversations(query, Case, shape)


def segment_sizes(session: Session, period: Period) -> dict[date, dict[str, int]]:
    """How many customers each segment had, by the days on which they were counted."""
    found: dict[date, dict[str, int]] = {}
    for day, segment, customers in session.execute(_SIZES, {"first": period.first, "last": period.last}):
        found.setdefault(day, {})[segment] = customers
    return found


def segment_moves(session: Session, period: Period) -> dict[tuple[str, str], int]:
    """How many times a customer went from one segment to another in a period."""
    found = session.execute(_MOVES, {"first": period.first, "last": period.last})
    return {(before, after): number for before, after, number in found}


def _filtered(query: Select[*tuple[Any, ...]], columns: Any, shape: Shape) -> Select[*tuple[Any, ...]]:
    for name, wanted in zip(("channel", "language"), shape, strict=True):
        query = query.where(getattr(columns, name) == bindparam(name)) if wanted else query
    return query


def _of_conversations(query: Select[*tuple[Any, ...]], table: Any, shape: Shape) -> Select[*tuple[Any, ...]]:
    """Only of conversations on this channel, in this language."""
    if not any(shape):
        return query
    # Not EXISTS: SQLite would read each conversation's row instead of the index that holds what is asked.
    return _filtered(query.join(Conversation, Conversation.id == table.conversation_id), Conversation, shape)


@cache
def _parts(count: int) -> Any:
    """`Spans` as a table: number, begin, finish."""
    moments = [bindparam(f"moment_{number}", type_=UtcDateTime()) for number in range(count + 1)]
    rows = [
        select(
            literal_column(str(number), Integer).label("number"), begin.label("begin"), end.label("finish")
        )
        for number, (begin, end) in enumerate(pairwise(moments), -1)
    ]
    return union_all(*rows).cte("part")


def _within(column: Any, part: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= part.c.begin, column < part.c.finish


def _sum(expression: Any) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(expression), 0), BigInteger)


_SIZES = (
    select(SegmentSize.day, SegmentSize.segment, SegmentSize.customers)
    .where(SegmentSize.day.between(FIRST, LAST))
    .order_by(SegmentSize.day)
)
_MOVES = (
    select(SegmentMove.from_segment, SegmentMove.to_segment, cast(func.sum(SegmentMove.customers), Integer))
    .where(SegmentMove.day.between(FIRST, LAST))
    .group_by(SegmentMove.from_segment, SegmentMove.to_segment)
)
_redeemed = and_(Coupon.redeemed_at >= BEGIN, Coupon.redeemed_at < END)
_spent = (
    select(
        OrderItem.order_id,
        func.sum(OrderItem.quantity * Product.cost_minor).label("cost"),
        (func.count() - func.count(Product.cost_minor)).label("unknown"),
    )
    .outerjoin(Product, Product.id == OrderItem.product_id)
    .where(OrderItem.order_id.in_(select(Coupon.order_id).where(_redeemed)))
    .group_by(OrderItem.order_id)
    .subquery()
)
_known = _spent.c.unknown == 0
_ORDERS = (
    select(
        func.count(),
        _sum(Order.total_minor),
        _sum(case((_known, 1), else_=0)),
        _sum(case((_known, Order.total_minor - _spent.c.cost), else_=0)),
    )
    .select_from(Order)
    .outerjoin(_spent, _spent.c.order_id == Order.id)
    .where(
        Order.currency == bindparam("currency"),
        Order.status.not_in(UNDONE),
        exists().where(Coupon.order_id == Order.id, _redeemed),
    )
)
