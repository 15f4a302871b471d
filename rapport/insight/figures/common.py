"""What all figures share: which conversations and time they are of, and the parts of a period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    union_all,
)

from rapport.conversations.models import Conversation
from rapport.insight.rules import Period, starts
from rapport.kit.database import UtcDateTime

# Whether there is a filter by channel and one by language.
Shape = tuple[bool, bool]
FIRST, LAST = (bindparam(name, type_=Date) for name in ("first", "last"))


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
    """The period before (number -1) and the parts of a period (from 0), by the days with which they begin and
    the one after all, and by the moments at which these days do.
    """

    days: tuple[date, ...]
    moments: tuple[datetime, ...]

    @classmethod
    def of(cls, period: Period, parts: Sequence[Period], timezone: str) -> Spans:
        after = period.last + timedelta(days=1)
        days = (period.before.first, *(part.first for part in parts), after)
        return cls(days, tuple(starts(day, timezone) for day in days))

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

    @property
    def day_values(self) -> dict[str, Any]:
        return {f"day_{number}": day for number, day in enumerate(self.days)}


def filtered(query: Select[*tuple[Any, ...]], columns: Any, shape: Shape) -> Select[*tuple[Any, ...]]:
    for name, wanted in zip(("channel", "language"), shape, strict=True):
        query = query.where(getattr(columns, name) == bindparam(name)) if wanted else query
    return query


def of_conversations(query: Select[*tuple[Any, ...]], table: Any, shape: Shape) -> Select[*tuple[Any, ...]]:
    """Only of conversations on this channel, in this language."""
    if not any(shape):
        return query
    # Not EXISTS: SQLite would read each conversation's row instead of the index that holds what is asked.
    return filtered(query.join(Conversation, Conversation.id == table.conversation_id), Conversation, shape)


@cache
def table_of_parts(count: int, by: Literal["moment", "day"] = "moment") -> Any:
    """`Spans` as a table: number, begin, finish."""
    kind = UtcDateTime() if by == "moment" else Date()
    bounds = [bindparam(f"{by}_{number}", type_=kind) for number in range(count + 1)]
    rows = [
        select(
            literal_column(str(number), Integer).label("number"), begin.label("begin"), end.label("finish")
        )
        for number, (begin, end) in enumerate(pairwise(bounds), -1)
    ]
    # As a table: else PostgreSQL starts helpers to read these few rows side by side.
    return union_all(*rows).cte("part").prefix_with("MATERIALIZED", dialect="postgresql")


def within(column: Any, part: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= part.c.begin, column < part.c.finish


def total(expression: Any) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(expression), 0), BigInteger)
