"""Opening hours as people say them, made from the week's table: `Monday to Friday, 8 am to 6 pm`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_skeleton, get_day_names, get_timezone_location

from rapport.kit.format import LOCALES, listed
from rapport.kit.languages import of_country
from rapport.shop.hours import MINUTES_A_DAY, WEEKDAYS, OpeningHours, Span, clock_time

WORDS = Path(__file__).parent / "hours.yml"
# Closed days are told from so long before.
TOLD_AHEAD = timedelta(days=14)
SHORTEST_RUN = 3


def in_words(
    hours: OpeningHours, timezone: str, country: str, language: str, now: datetime | None = None
) -> str:
    """The hours in a language; with `now` also the closed days that are near.

    Where the shop's clock is told only to those who may have another.
    """
    words = _words(language)
    groups = [_group(days, spans, language) for spans, days in _groups(hours)]
    text = words["group"].join(groups) or words["never"]
    if groups and of_country(country) != language:
        text += f" {words['zone'].format(city=_city(timezone, language))}"
    if now is not None:
        today = now.astimezone(ZoneInfo(timezone)).date()
        if away := list(_closed(hours, today)):
            told = [_told(first, last, language) for first, last in away]
            text += f"{words['group']}{words['closed'].format(days=listed(told, language))}"
    return str(text)


def _groups(hours: OpeningHours) -> list[tuple[tuple[Span, ...], list[int]]]:
    """The weekdays that have the same hours, in the order of the first of each."""
    found: dict[tuple[Span, ...], list[int]] = {}
    for weekday in range(len(WEEKDAYS)):
        if spans := hours.on_weekday(weekday):
            found.setdefault(spans, []).append(weekday)
    return list(found.items())


def _group(days: list[int], spans: tuple[Span, ...], language: str) -> str:
    words = _words(language)
    if [(span.opens, span.closes) for span in spans] == [(0, MINUTES_A_DAY)]:
        pattern, times = words["days_only"], words["whole_day"]
    else:
        told = [
            words["span"].format(opens=_time(span.opens, language), closes=_time(span.closes, language))
            for span in spans
        ]
        pattern, times = words["times"], listed(told, language)
    said: str = pattern.format(days=_days(days, language), times=times)
    return said


def _days(days: list[int], language: str) -> str:
    words = _words(language)
    if len(days) == len(WEEKDAYS):
        return str(words["every_day"])
    told = []
    for run in _runs(days):
        if len(run) >= SHORTEST_RUN:
            first, last = (_calendar(day, language) for day in (run[0], run[-1]))
            told.append(words["run"].format(first=first, last=last))
        else:
            plural = words.get("plural", {})
            told += [plural.get(WEEKDAYS[day]) or _calendar(day, language) for day in run]
    return listed(told, language)


def _runs(days: list[int]) -> list[list[int]]:
    """Days that follow each other, together."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _calendar(day: int, language: str) -> str:
    return str(get_day_names("wide", locale=LOCALES[language])[day])


def _time(minute: int, language: str) -> str:
    if language == "en":
        if minute % MINUTES_A_DAY == 0:
            return "midnight"
        if minute == MINUTES_A_DAY // 2:
            return "noon"
        hour, half = (minute // 60 - 1) % 12 + 1, "am" if minute < MINUTES_A_DAY // 2 else "pm"
        return f"{hour}:{minute % 60:02} {half}" if minute % 60 else f"{hour} {half}"
    if language == "nb":
        return f"{minute // 60}.{minute % 60:02}" if minute % 60 else str(minute // 60)
    return clock_time(minute)


def _city(timezone: str, language: str) -> str:
    if "/" not in timezone:
        return timezone
    return get_timezone_location(timezone, locale=LOCALES[language], return_city=True)


def _closed(hours: OpeningHours, today: date) -> Iterator[tuple[date, date]]:
    """The closed days that are now or near, each (first, last), none of them twice."""
    found: set[tuple[date, date]] = set()
    for days in range(TOLD_AHEAD.days + 1):
        day = today + timedelta(days=days)
        for closed in hours.closed:
            if away := closed.around(day):
                found.add(away)
    yield from sorted(found)


def _told(first: date, last: date, language: str) -> str:
    words = _words(language)
    end = format_skeleton("MMMMd", last, locale=LOCALES[language])
    if first == last:
        return str(words["closed_day"].format(day=end))
    same_month = (first.year, first.month) == (last.year, last.month)
    begin = format_skeleton("d" if same_month else "MMMMd", first, locale=LOCALES[language])
    return str(words["closed_days"].format(first=begin, last=end))


@cache
def _words(language: str) -> dict[str, Any]:
    content: dict[str, dict[str, Any]] = yaml.safe_load(WORDS.read_text("utf-8"))
    return content[language]
