"""When the shop's people are there: a week's table, closed days, and whether it is open at a moment.

All pure. Hours are what a clock on the shop's wall shows, also on the days when clocks are changed.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, field_validator, model_serializer, model_validator

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_A_DAY = 24 * 60
# Who is closed for longer has no next opening that anybody waits for.
LOOK_AHEAD_DAYS = 400
_SPAN = re.compile(r"(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)")


class Span(BaseModel):
    """Open from a minute of the day to another, not crossing midnight; written `9:00-17:30`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opens: int
    closes: int

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _SPAN.fullmatch(value.strip())
        if found is None:
            raise ValueError("write hours as 9:00-17:30")
        numbers = [int(number) for number in found.groups()]
        if numbers[1] > 59 or numbers[3] > 59:
            raise ValueError("write hours as 9:00-17:30")
        return {"opens": numbers[0] * 60 + numbers[1], "closes": numbers[2] * 60 + numbers[3]}

    @model_validator(mode="after")
    def _within_a_day(self) -> Span:
        if not 0 <= self.opens < self.closes <= MINUTES_A_DAY:
            raise ValueError("hours end after they begin, on the same day (at 24:00 at the latest)")
        return self

    @model_serializer
    def _write(self) -> str:
        return f"{clock_time(self.opens)}-{clock_time(self.closes)}"


class ClosedDays(BaseModel):
    """Days on which the shop's people are away, `last` included; `yearly`: each year again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: date
    last: date | None = None
    yearly: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> ClosedDays:
        if self.until < self.first:
            raise ValueError("the last day is before the first")
        if self.yearly and self.until - self.first > timedelta(days=180):
            raise ValueError("so long a time can't come back every year")
        return self

    @property
    def until(self) -> date:
        """The last day."""
        return self.last or self.first

    def around(self, day: date) -> tuple[date, date] | None:
        """(first, last) of the closed days that this day is one of."""
        if not self.yearly:
            return (self.first, self.until) if self.first <= day <= self.until else None
        for year in (day.year, day.year - 1):
            try:
                first = self.first.replace(year=year)
            except ValueError:  # 29 February
                first = date(year, 3, 1)
            last = first + (self.until - self.first)
            if first <= day <= last:
                return first, last
        return None


class OpeningHours(BaseModel):
    """The week's table and the closed days. A weekday without hours is closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mon: tuple[Span, ...] = ()
    tue: tuple[Span, ...] = ()
    wed: tuple[Span, ...] = ()
    thu: tuple[Span, ...] = ()
    fri: tuple[Span, ...] = ()
    sat: tuple[Span, ...] = ()
    sun: tuple[Span, ...] = ()
    closed: tuple[ClosedDays, ...] = ()

    @field_validator(*WEEKDAYS)
    @classmethod
    def _one_after_another(cls, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        if any(early.closes >= late.opens for early, late in pairwise(spans)):
            raise ValueError("one time of a day must end before the next begins")
        return spans

    def on_weekday(self, weekday: int) -> tuple[Span, ...]:
        """The hours of a weekday; Monday is 0."""
        spans: tuple[Span, ...] = getattr(self, WEEKDAYS[weekday])
        return spans

    def on(self, day: date) -> tuple[Span, ...]:
        """The hours of a day."""
        if any(closed.around(day) for closed in self.closed):
            return ()
        return self.on_weekday(day.weekday())


class Shop(Protocol):
    """What the functions need of the shop's facts."""

    @property
    def hours(self) -> OpeningHours: ...

    @property
    def timezone(self) -> str: ...


def is_open(shop: Shop, at: datetime) -> bool:
    """Whether the shop's people are there at that moment."""
    local = at.astimezone(ZoneInfo(shop.timezone))
    # 17:00:30 comes after 17:00.
    minute = local.hour * 60 + local.minute
    return any(span.opens <= minute < span.closes for span in shop.hours.on(local.date()))


def opens_next(shop: Shop, at: datetime) -> datetime | None:
    """The first moment from `at` on at which it is open: `at` itself while it is, None if that is too far
    away to be foreseen. In UTC.
    """
    at = at.astimezone(UTC)
    if is_open(shop, at):
        return at
    zone = ZoneInfo(shop.timezone)
    today = at.astimezone(zone).date()
    for days in range(LOOK_AHEAD_DAYS):
        day = today + timedelta(days=days)
        if not (spans := shop.hours.on(day)):
            continue
        moments = [_moment(day, span.opens, zone, fold) for span in spans for fold in (0, 1)]
        # Where clocks are changed, it may become open or closed at that moment too.
        moments += _clock_changes(day, zone)
        if found := [moment for moment in moments if moment >= at and is_open(shop, moment)]:
            return min(found)
    return None


def clock_time(minute: int) -> str:
    """A minute of the day as a 24-hour clock shows it: 9:00, 17:30, 24:00."""
    return f"{minute // 60}:{minute % 60:02}"


def _moment(day: date, minute: int, zone: ZoneInfo, fold: int) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60), zone).replace(fold=fold).astimezone(UTC)


def _clock_changes(day: date, zone: ZoneInfo) -> list[datetime]:
    """The moment of that day from which on clocks are an hour ahead or behind, if there is one."""
    low = datetime.combine(day, time(), zone).astimezone(UTC) - timedelta(hours=1)
    high = low + timedelta(hours=27)
    after = high.astimezone(zone).utcoffset()
    if low.astimezone(zone).utcoffset() == after:
        return []
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return [high]
