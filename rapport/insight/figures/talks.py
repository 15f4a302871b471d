"""How conversations went: talks and messages, what was understood, waiting for a person, satisfaction.
(Talks and messages are counted by the day beforehand: counting.py.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Date, Integer, Select, and_, bindparam, cast, func, select, union_all
from sqlalchemy.orm import Session

from rapport.conversations.models import Handoff
from rapport.insight.counting import seconds
from rapport.insight.figures.common import (
    FIRST,
    LAST,
    Filters,
    Shape,
    Spans,
    filtered,
    of_conversations,
    table_of_parts,
    within,
)
from rapport.insight.models import IntentDay, IntentMonth, Satisfaction, TalkDay
from rapport.insight.rules import BEST, Period, rank

# What is counted of a day.
MEASURES = tuple(column.key for column in TalkDay.__table__.columns if not column.primary_key)


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


def talk_days(session: Session, spans: Spans, live: Sequence[date], filters: Filters) -> list[dict[str, Any]]:
    """The counted days, those of a part (`part`: its number) summed up by channel and language."""
    values = {**spans.day_values, "live": live, **filters.values}
    found = session.execute(_talk_days(spans.count, filters.shape), values)
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


@cache
def _talk_days(count: int, shape: Shape) -> Select[*tuple[Any, ...]]:
    part = table_of_parts(count, "day")
    table: Any = TalkDay.__table__
    kinds = (part.c.number.label("part"), table.c.channel, table.c.language)
    sums = (cast(func.sum(table.c[name]), Integer).label(name) for name in MEASURES)
    query = (
        select(*kinds, *sums)
        .join(table, and_(*within(table.c.day, part)))
        .where(table.c.day.not_in(bindparam("live", type_=Date, expanding=True)))
        .group_by(part.c.number, table.c.channel, table.c.language)
    )
    return filtered(query, table.c, shape)


def intents(
    session: Session, period: Period, live: Sequence[date], filters: Filters
) -> tuple[dict[str, int], dict[str, int]]:
    """How many messages of the counted days were understood as what, in a period and in the one before."""
    found = []
    for one in (period, period.before):
        # The last day may be counted live: then its month is no whole one.
        counted = Period(one.first, one.last - timedelta(days=one.last in live))
        head, months, tail = counted.split_by_months()
        values = {
            **{"head_first": head.first, "head_last": head.last, "first": months.first, "last": months.last},
            **{"tail_first": tail.first, "tail_last": tail.last, "live": live},
        }
        rows = session.execute(_intents(filters.shape), {**values, **filters.values})
        found.append({intent: messages for intent, messages in rows if messages})
    return found[0], found[1]


@cache
def _intents(shape: Shape) -> Select[*tuple[Any, ...]]:
    """Whole months by their sums, the days before and after by themselves."""
    days = [
        filtered(
            select(IntentDay.intent, IntentDay.messages).where(
                IntentDay.day >= bindparam(f"{part}_first", type_=Date),
                IntentDay.day <= bindparam(f"{part}_last", type_=Date),
                IntentDay.day.not_in(bindparam("live", type_=Date, expanding=True)),
            ),
            IntentDay,
            shape,
        )
        for part in ("head", "tail")
    ]
    months = (
        select(IntentMonth.intent, cast(func.sum(IntentMonth.messages), Integer).label("messages"))
        .where(IntentMonth.month.between(FIRST, LAST))
        .group_by(IntentMonth.month, IntentMonth.intent)
    )
    every = union_all(*days, filtered(months, IntentMonth, shape)).subquery()
    return select(every.c.intent, cast(func.sum(every.c.messages), Integer)).group_by(every.c.intent)


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
    part = table_of_parts(count)
    at = seconds(dialect, Handoff.requested_at)
    by_staff = Handoff.taken_at.is_not(None) & (Handoff.taken_at <= Handoff.requested_at)
    query = select(
        part.c.number,
        seconds(dialect, Handoff.taken_at) - at,
        seconds(dialect, Handoff.first_answer_at) - at,
    ).join(Handoff, and_(*within(Handoff.requested_at, part), ~by_staff))
    return of_conversations(query, Handoff, shape)


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
    part = table_of_parts(count)
    query = (
        select(part.c.number, Satisfaction.handled_by, Satisfaction.score, func.count())
        .join(Satisfaction, and_(*within(Satisfaction.asked_at, part)))
        .group_by(part.c.number, Satisfaction.handled_by, Satisfaction.score)
    )
    return of_conversations(query, Satisfaction, shape)
