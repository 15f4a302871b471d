"""Presents nobody asked for: who is due one today. Pure: the same answer however often it is asked."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta

from rapport.kit.tokens import keyed_hash

# A day's presents are still given when the task did not run that day, or a complaint was open.
LATE = timedelta(days=3)


def recent_days(today: date) -> Iterator[date]:
    """The days whose presents are given today, the oldest first."""
    for back in range(LATE.days, -1, -1):
        yield today - timedelta(days=back)


def anniversaries(day: date) -> list[tuple[int, int]]:
    """The (month, day) that are celebrated on this day: its own, and on 28 February also the 29th of those
    years that have none.
    """
    found = [(day.month, day.day)]
    if found == [(2, 28)] and not calendar.isleap(day.year):
        found.append((2, 29))
    return found


def earlier(day: date, years: int) -> list[date]:
    """The days of up to so many years before whose anniversary this day is, the latest first."""
    return [
        date(year, month, number)
        for year in range(day.year - 1, day.year - 1 - years, -1)
        for month, number in anniversaries(day)
        if (month, number) != (2, 29) or calendar.isleap(year)
    ]


def month_of(day: date) -> str:
    """The period of a surprise."""
    return f"{day.year:04d}-{day.month:02d}"


def surprise_day(secret: str, offer_key: str, month: date, customer_id: int, chance: float) -> date | None:
    """The day of this month on which the customer is surprised; None when this month they are not.

    Drawn by a keyed hash: nobody can foresee it, and asking again gives the same.
    """
    digest = keyed_hash(secret, "surprise", f"{offer_key}:{month_of(month)}:{customer_id}")
    if int(digest[:12], 16) >= chance * 16**12:
        return None
    days = calendar.monthrange(month.year, month.month)[1]
    return date(month.year, month.month, 1 + int(digest[12:24], 16) % days)


def turn(secret: str, offer_key: str, month: date, customer_id: int) -> str:
    """Who comes first when the budget is not enough for all: by lot, not by age."""
    return keyed_hash(secret, "turn", f"{offer_key}:{month_of(month)}:{customer_id}")
