"""For how long, or until when: what a message says of it. Pure; words come from values.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from rapport.conversations.lexicon import Said, any_of, last_words, words
from rapport.kit.languages import LANGUAGES

OVER = "P0D"  # the end of a pause
LAST_RESORT = 9
MOST = 999
DIGIT = re.compile(r"\d")
UNTIL = ("until", "after")
TIMES = ("units", "periods", "months", "weekdays", "seasons", "events", "weekend", "tomorrow", "resume")


@dataclass(frozen=True)
class Found:
    """A value, and where it stands in the line."""

    value: str
    start: int
    end: int


def find(said: Said, today: date) -> Found | None:
    """An ISO 8601 duration (`P3M`), a date still to come (`2027-01-01`), or `P0D` for the end of a pause.

    A date outweighs a duration ("two weeks, until January"), and of several the first counts.
    """
    if not (last_words(*TIMES) & said.words or (DIGIT.search(said.line) and last_words(*UNTIL) & said.words)):
        return None
    found = [item for language in LANGUAGES for item in _in(language, said, today)]
    if not found:
        return None
    return min(found, key=lambda item: (item[0], item[1].start, item[1].start - item[1].end))[1]


def _in(language: str, said: Said, today: date) -> Iterator[tuple[int, Found]]:
    """What is found with the words of one language, with how much it counts (0 most)."""
    for weight, expression in enumerate(_expressions(language)):
        for match in expression.finditer(said.line):
            value = _value(match, language, today)
            if value is not None:
                yield weight, Found(value, match.start(), match.end())
                break
    for match in re.finditer(rf"(?<= ){any_of('resume', language)}(?= )", said.line):
        if not re.search(rf" {any_of('not_yet', language)} ", said.clause(match.start())):
            yield LAST_RESORT, Found(OVER, match.start(), match.end())
            break


@cache
def _expressions(language: str) -> tuple[re.Pattern[str], ...]:
    """Until a day, again in a month, over a season, this month, so long, the next month: as they count.

    Their groups say what was found; `after` is there when it is over only when the day or season is.
    """

    def one_of(section: str) -> str:
        return any_of(section, language)

    unit, the = one_of("units"), rf"(?: {one_of('the')}){{0,2}}"
    season, event = f"(?P<season>{one_of('seasons')})", f"(?P<event>{one_of('events')})"
    until = rf"(?:(?P<after>{one_of('after')})|(?P<until>{one_of('until')}))"
    again, between = one_of("again"), r"(?: \w+){0,3}"
    this_unit = rf"{one_of('this')} (?P<next>{unit})|(?P<next_too>{unit}) {one_of('this_after')}"
    number = rf"(?P<number>\d{{1,3}}|{one_of('numbers')})(?: {one_of('after_number')})?"
    next_unit = rf"{one_of('next')} (?P<unit>{unit})|(?P<unit_too>{unit}) {one_of('next_after')}"
    patterns = (
        rf"{until}{the} (?:{_a_day(language)})",
        rf"{again}{between} {_then(language)}|{_then(language, '_too')}{between} {again}",
        rf"(?P<after>{one_of('during')})(?: {one_of('the')})? (?:{season}|{event})",
        rf"(?P<after>){season} {one_of('this_after')}",
        this_unit,
        f"(?P<fixed>{one_of('periods')})",
        rf"{number} (?P<unit>{unit})",
        next_unit,
    )
    return tuple(re.compile(rf"(?<= )(?:{pattern})(?= )") for pattern in patterns)


def _a_day(language: str) -> str:
    """What names a day: a date, a month, a weekday, a season, a feast, "tomorrow", "next month"."""

    def one_of(section: str) -> str:
        return any_of(section, language)

    ordinal, of = "(?: (?:st|nd|rd|th|a|ul|lea))?", f"(?: {one_of('of')})?"
    month, unit = _month(language), one_of("units")
    alternatives = (
        r"@(?P<date>\d{4}-\d\d-\d\d)",
        rf"(?:(?P<day>\d{{1,2}}){ordinal}{of} (?P<day_month>{month})"
        rf"|(?P<month>{month})(?: (?P<month_day>\d{{1,2}}){ordinal}(?= ))?)(?:{of} (?P<year>20\d\d))?",
        rf"(?P<day_alone>\d{{1,2}}){ordinal}(?= \||\s*$)",
        *(f"(?P<{name}>{one_of(f'{name}s')})" for name in ("weekday", "season", "event")),
        *(f"(?P<{name}>{one_of(name)})" for name in ("weekend", "tomorrow")),
        rf"{one_of('next')} (?P<next>{unit})",
        rf"(?P<next_too>{unit}) {one_of('next_after')}",
    )
    return "|".join(alternatives)


def _then(language: str, suffix: str = "") -> str:
    """In a month or season."""
    the, seasons = rf"(?: {any_of('the', language)}){{0,2}}", any_of("seasons", language)
    named = rf"(?P<season{suffix}>{seasons})|(?P<month{suffix}>{_month(language)})"
    return rf"{any_of('in', language)}{the} (?:{named})"


def _month(language: str) -> str:
    return rf"{any_of('months', language)}(?! {any_of('later', language)} )"


def _value(match: re.Match[str], language: str, today: date) -> str | None:
    said = {
        name.removesuffix("_too"): value for name, value in match.groupdict().items() if value is not None
    }
    if "fixed" in said:
        return words("periods", language)[said["fixed"]]
    if "unit" in said:
        return _duration(said.get("number", "1"), words("units", language)[said["unit"]], language)
    day = _date(said, language, today)
    return day.isoformat() if day is not None and day > today else None


def _duration(number: str, unit: str, language: str) -> str | None:
    count = int(number) if number.isdigit() else int(words("numbers", language)[number])
    return f"P{min(count * int(unit[1:-1]), MOST)}{unit[-1]}" if count else None


def _date(said: dict[str, str], language: str, today: date) -> date | None:
    """The day on which it is over."""
    after = "after" in said

    def key(section: str, name: str) -> str:
        return words(section, language)[said[name]]

    if "date" in said:
        year, month, day = map(int, said["date"].split("-"))
        return _day(month, day, today, year or None, after)
    if "day_alone" in said:
        return _day_of_month(int(said["day_alone"]), today, after)
    if "day" in said:
        return _day(int(key("months", "day_month")), int(said["day"]), today, _year(said), after)
    if "month" in said:
        month = int(key("months", "month"))
        if "month_day" in said:
            return _day(month, int(said["month_day"]), today, _year(said), after)
        return _first_of(month % 12 + 1 if after else month, today, _year(said), after and month == 12)
    if "season" in said:
        begins, ends = map(int, key("seasons", "season").split("-"))
        return _first_of(ends if after else begins, today)
    if "event" in said:
        begins_on, over_on = key("events", "event").split()
        month, day = map(int, (over_on if after else begins_on).split("-"))
        return _day(month, day, today)
    if "next" in said:
        return _begin_of_next(key("units", "next"), today)
    if "tomorrow" in said:
        return today + timedelta(days=2 if after else 1)
    if "weekend" in said:
        return _next_weekday(0 if after else 5, today)
    return _next_weekday(int(key("weekdays", "weekday")), today) + timedelta(days=after)


def _year(said: dict[str, str]) -> int | None:
    return int(said["year"]) if "year" in said else None


def _day(month: int, day: int, today: date, year: int | None = None, after: bool = False) -> date | None:
    """The next such day, or the one of that year; None if there is no such day."""
    try:
        found = date(year or today.year, month, day)
        if year is None and found <= today:
            found = date(today.year + 1, month, day)
        return found + timedelta(days=after)
    except (ValueError, OverflowError):
        return None


def _day_of_month(day: int, today: date, after: bool) -> date | None:
    """The 20th, of this month or the next."""
    month = today.month if day > today.day else today.month % 12 + 1
    return _day(month, day, today, None, after)


def _first_of(month: int, today: date, year: int | None = None, year_later: bool = False) -> date:
    if year is None:
        year = today.year + (month <= today.month)
    elif year_later:
        year += 1
    return date(year, month, 1)


def _begin_of_next(unit: str, today: date) -> date:
    match unit[-1]:
        case "D":
            return today + timedelta(days=1)
        case "W":
            return _next_weekday(0, today)
        case "M":
            months = int(unit[1:-1])
            begun = (today.month - 1) // months * months + months  # quarters begin in January
            return date(today.year + begun // 12, begun % 12 + 1, 1)
        case _:
            return date(today.year + 1, 1, 1)


def _next_weekday(weekday: int, today: date) -> date:
    """Monday is 0; never today."""
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
