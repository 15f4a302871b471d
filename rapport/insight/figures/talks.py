"""How conversations went: talks and messages, what was understood, waiting for a person, satisfaction.
(Talks and messages are counted by the day beforehand: counting.py.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Date, Integer, Select, and_, bindparam, case, cast, func, select
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
from rapport.insight.models import IntentDay, Satisfaction, TalkDay
from rapport.insight.rules import BEST, Period, rank

MIDDLE = bindparam("middle", type_=Date)


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


def talk_days(session: Session, first: date, last: date, filters: Filters) -> list[dict[str, Any]]:
    """The counted days."""
    found = session.execute(_talk_days(filters.shape), {"first": first, "last": last, **filters.values})
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


@cache
def _talk_days(shape: Shape) -> Select[*tuple[Any, ...]]:
    table: Any = TalkDay.__table__
    return filtered(select(table).where(table.c.day.between(FIRST, LAST)), table.c, shape)


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
    return filtered(query, IntentDay, shape)


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
