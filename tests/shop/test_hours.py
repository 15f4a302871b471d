"""Opening hours: whether the shop is open, when it opens next, and how that is said in four languages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rapport.kit.settings import ROOT
from rapport.shop.facts import load_facts
from rapport.shop.hours import MINUTES_A_DAY, WEEKDAYS, OpeningHours, clock_time, is_open, opens_next
from rapport.shop.hours_words import in_words

OSLO = ZoneInfo("Europe/Oslo")
SHIPPED = load_facts(ROOT / "shop.yml")


@dataclass(frozen=True)
class Shop:
    hours: OpeningHours
    timezone: str = "Europe/Oslo"


def shop(hours: dict[str, Any], timezone: str = "Europe/Oslo") -> Shop:
    return Shop(OpeningHours.model_validate(hours), timezone)


def oslo(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OSLO, fold=fold)


WEEK: dict[str, Any] = {day: ["8:00-12:00", "13:00-18:00"] for day in WEEKDAYS[:5]}
ALWAYS: dict[str, Any] = {day: ["0:00-24:00"] for day in WEEKDAYS}
CHRISTMAS: dict[str, Any] = {"closed": [{"first": "2020-12-24", "last": "2021-01-01", "yearly": True}]}


@pytest.mark.parametrize(
    ("at", "opened", "opens"),
    [
        ("2026-11-23T07:59:59", False, "2026-11-23T08:00"),
        ("2026-11-23T08:00", True, "2026-11-23T08:00"),
        ("2026-11-23T11:59:59", True, "2026-11-23T11:59:59"),
        ("2026-11-23T12:00", False, "2026-11-23T13:00"),
        ("2026-11-27T18:00", False, "2026-11-30T08:00"),  # Friday evening
        ("2026-12-24T10:00", False, "2027-01-04T08:00"),  # Christmas, and New Year's Day is a Friday
        ("2026-12-23T17:59", True, "2026-12-23T17:59"),
        ("2027-01-01T10:00", False, "2027-01-04T08:00"),
    ],
)
def test_a_week_with_breaks_and_holidays(at: str, opened: bool, opens: str) -> None:
    fjordly = shop({**WEEK, **CHRISTMAS})
    assert is_open(fjordly, oslo(at)) is opened
    assert opens_next(fjordly, oslo(at)) == oslo(opens)


@pytest.mark.parametrize(
    ("hours", "at", "opened", "opens"),
    [
        # Clocks go from 2:00 to 3:00 on 29 March 2026, and from 3:00 back to 2:00 on 25 October.
        (["2:30-4:00"], oslo("2026-03-29T01:00"), False, oslo("2026-03-29T03:00")),
        (["2:00-3:00"], oslo("2026-03-29T01:00"), False, oslo("2026-04-05T02:00")),
        (["2:30-4:00"], oslo("2026-10-25T02:40"), True, oslo("2026-10-25T02:40")),
        (["2:30-4:00"], oslo("2026-10-25T02:10", 1), False, oslo("2026-10-25T02:30", 1)),
        (["1:00-2:30"], oslo("2026-10-25T02:45"), False, oslo("2026-10-25T02:00", 1)),
        (["9:00-10:00"], oslo("2026-03-28T23:00"), False, oslo("2026-03-29T09:00")),
    ],
)
def test_days_on_which_clocks_are_changed(
    hours: list[str], at: datetime, opened: bool, opens: datetime
) -> None:
    sundays = shop({"sun": hours})
    assert is_open(sundays, at) is opened
    assert opens_next(sundays, at) == opens.astimezone(UTC)


def test_never_open_and_always_open() -> None:
    at = oslo("2026-11-23T10:00")
    away = {"closed": [{"first": "2020-01-01", "last": "2040-01-01"}]}
    assert opens_next(shop({}), at) is None
    assert opens_next(shop({**ALWAYS, **away}), at) is None
    assert is_open(shop(ALWAYS), at)


def test_a_leap_day_comes_back_every_year() -> None:
    leap = shop({**ALWAYS, "closed": [{"first": "2024-02-29", "yearly": True}]})
    assert not is_open(leap, oslo("2028-02-29T10:00"))
    assert not is_open(leap, oslo("2026-03-01T10:00")), "kept on the day after the 28th"
    assert is_open(leap, oslo("2026-02-28T10:00"))


SPANS = st.lists(st.integers(0, MINUTES_A_DAY), min_size=2, max_size=4, unique=True).map(
    lambda minutes: [
        f"{clock_time(a)}-{clock_time(b)}"
        for a, b in zip(sorted(minutes)[::2], sorted(minutes)[1::2], strict=False)
    ]
)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
WEEKS = st.fixed_dictionaries({}, optional=dict.fromkeys(WEEKDAYS, SPANS))
ZONES = st.sampled_from(["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"])
MOMENTS = st.integers(0, 3 * 366 * 24 * 3600).map(lambda seconds: BEGIN + timedelta(seconds=seconds))


@settings(max_examples=80, deadline=None)
@given(WEEKS, ZONES, MOMENTS, st.dates(date(2025, 1, 1), date(2027, 12, 31)), st.data())
def test_it_opens_when_said_and_not_before(
    week: dict[str, list[str]], timezone: str, at: datetime, away: date, data: st.DataObject
) -> None:
    here = shop({**week, "closed": [{"first": away, "last": away + timedelta(days=3)}]}, timezone)
    opens = opens_next(here, at)
    assert is_open(here, at) is (opens == at)
    if opens is None:
        assert not week
        return
    assert opens >= at
    assert is_open(here, opens)
    seconds = int((opens - at).total_seconds())
    if seconds:
        between = at + timedelta(seconds=data.draw(st.integers(0, seconds - 1)))
        assert not is_open(here, between)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mon": ["18:00-8:00"]},
        {"mon": ["8:00-8:00"]},
        {"mon": ["8:00-24:30"]},
        {"mon": ["8:70-9:00"]},
        {"mon": ["8-9"]},
        {"mon": ["8:00-12:00", "11:00-13:00"]},
        {"mon": ["8:00-12:00", "12:00-13:00"]},
        {"moon": ["8:00-9:00"]},
        {"closed": [{"first": "2026-02-02", "last": "2026-02-01"}]},
        {"closed": [{"first": "2026-02-30"}]},
        {"closed": [{"first": "2026-01-01", "last": "2026-12-01", "yearly": True}]},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpeningHours.model_validate(wrong)


def test_hours_survive_being_stored() -> None:
    stored = SHIPPED.hours.model_dump(mode="json")
    assert stored["mon"] == ["8:00-18:00"]
    assert OpeningHours.model_validate(stored) == SHIPPED.hours


BUSY = {
    "mon": ["8:30-12:00", "13:00-17:00"],
    "tue": ["8:30-12:00", "13:00-17:00"],
    "wed": ["8:30-12:00", "13:00-17:00"],
    "sat": ["10:00-14:00"],
    "sun": ["10:00-14:00"],
}


@pytest.mark.parametrize(
    ("hours", "language", "said"),
    [
        (WEEK, "en", "Monday to Friday, 8 am to noon and 1 pm to 6 pm (Oslo time)"),
        (WEEK, "es", "de lunes a viernes, de 8:00 a 12:00 y de 13:00 a 18:00 (hora de Oslo)"),
        (WEEK, "nb", "mandag til fredag kl. 8–12 og 13–18"),
        (WEEK, "ro", "de luni până vineri, între 8:00 și 12:00 și între 13:00 și 18:00 (ora Oslo)"),
        (
            BUSY,
            "en",
            "Monday to Wednesday, 8:30 am to noon and 1 pm to 5 pm; Saturday and Sunday, 10 am to 2 pm"
            " (Oslo time)",
        ),
        (
            BUSY,
            "es",
            "de lunes a miércoles, de 8:30 a 12:00 y de 13:00 a 17:00; sábados y domingos, de 10:00 a 14:00"
            " (hora de Oslo)",
        ),
        (BUSY, "nb", "mandag til onsdag kl. 8.30–12 og 13–17; lørdag og søndag kl. 10–14"),
        (ALWAYS, "en", "every day, around the clock (Oslo time)"),
        (ALWAYS, "es", "todos los días, las 24 horas (hora de Oslo)"),
        (ALWAYS, "nb", "alle dager hele døgnet"),
        (ALWAYS, "ro", "zilnic, non-stop (ora Oslo)"),
        ({}, "en", "by arrangement"),
        ({}, "nb", "etter avtale"),
    ],
)
def test_the_sentence(hours: dict[str, Any], language: str, said: str) -> None:
    assert in_words(OpeningHours.model_validate(hours), "Europe/Oslo", "NO", language) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Monday to Friday, 8 am to 6 pm (Oslo time); closed from 24 to 26 December"),
        ("es", "de lunes a viernes, de 8:00 a 18:00 (hora de Oslo); cerrado del 24 al 26 de diciembre"),
        ("nb", "mandag til fredag kl. 8–18; stengt fra 24. til 26. desember"),
        ("ro", "de luni până vineri, între 8:00 și 18:00 (ora Oslo); închis din 24 până pe 26 decembrie"),
    ],
)
def test_closed_days_are_told_when_they_are_near(language: str, said: str) -> None:
    assert SHIPPED.opening_hours(language, oslo("2026-12-11T12:00")) == said
    assert SHIPPED.opening_hours(language, oslo("2026-11-11T12:00")) == said.partition("; ")[0]
    assert SHIPPED.opening_hours(language) == said.partition("; ")[0]
