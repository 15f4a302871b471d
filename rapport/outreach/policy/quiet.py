"""When nobody is written to, on the clock of whoever would get it. Pure.

Where a country has several times and we do not know which is theirs, it is quiet as long as it is in any of
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel.core import get_global

from rapport.customers.rules import is_timezone

LOOK_AHEAD_DAYS = 9


@dataclass(frozen=True)
class Quiet:
    """From one minute of the day until another, over midnight if that is the earlier one; `days`: weekdays
    (Monday is 0) that are quiet altogether. Equal minutes: no hour is.
    """

    begins: int = 0
    ends: int = 0
    days: frozenset[int] = frozenset()


def is_quiet(quiet: Quiet, zones: Sequence[str], at: datetime) -> bool:
    """Whether it is quiet at that moment in any of these zones."""
    return any(_is_quiet(quiet, at.astimezone(ZoneInfo(zone))) for zone in zones)


def over(quiet: Quiet, zones: Sequence[str], at: datetime) -> datetime:
    """The first moment from `at` on at which it is not quiet: `at` itself if it is not. In UTC.

    Where there is none within days, as in a country that goes round the world, the first zone alone counts.
    """
    at = at.astimezone(UTC)
    if not is_quiet(quiet, zones, at):
        return at
    ends = {moment for zone in zones for moment in _ends(quiet, ZoneInfo(zone), at)}
    found = [moment for moment in sorted(ends) if moment > at and not is_quiet(quiet, zones, moment)]
    return found[0] if found else over(quiet, zones[:1], at)


def zones_of(timezone: str | None, country: str | None, home: str) -> tuple[str, ...]:
    """Where somebody may be: in their own zone, else in those of their country (ISO 3166), else at home."""
    if timezone is not None and is_timezone(timezone):
        return (timezone,)
    return zones_in(country.strip().upper() if country else "") or (home,)


@cache
def zones_in(country: str) -> tuple[str, ...]:
    """The zones of a country, one of each that show the same time all year; none for an unknown country."""
    zones: dict[tuple[timedelta | None, ...], str] = {}
    for name in sorted(get_global("territory_zones").get(country, ())):
        if is_timezone(name):
            offsets = (
                datetime(2026, month, 1, 12, tzinfo=ZoneInfo(name)).utcoffset() for month in range(1, 13)
            )
            zones.setdefault(tuple(offsets), name)
    return tuple(zones.values())


def _is_quiet(quiet: Quiet, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    if local.weekday() in quiet.days:
        return True
    if quiet.begins <= quiet.ends:
        return quiet.begins <= minute < quiet.ends
    return minute >= quiet.begins or minute < quiet.ends


def _ends(quiet: Quiet, zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
    """The moments from then on at which a quiet time may end there: of the hours, or of a day."""
    today = at.astimezone(zone).date()
    for days in range(LOOK_AHEAD_DAYS):
        day = today + timedelta(days=days)
        for minute in {0, quiet.ends % (24 * 60)}:
            for fold in (0, 1):  # the hour that is there twice, or not at all, when clocks are changed
                yield datetime.combine(day, time(minute // 60, minute % 60, fold=fold), zone).astimezone(UTC)
