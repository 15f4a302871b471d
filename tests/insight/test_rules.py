"""What a talk is, what came of it, days of the shop, and periods: by tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.insight import rules
from rapport.insight.rules import Outcome, Period, Talk
from rapport.kit.errors import InvalidInputError

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOON + 5 * 24 * HOUR
TALK = Talk(NOON, NOON + HOUR, "track_order")


@pytest.mark.parametrize(
    ("hours", "begins"),
    [([0], [0]), ([0, 3.99, 7.9], [0]), ([0, 4, 5, 9.5], [0, 4, 9.5]), ([], [])],
)
def test_four_hours_of_silence_end_a_talk(hours: list[float], begins: list[float]) -> None:
    found = list(rules.talks([(NOON + hour * HOUR, None) for hour in hours]))
    assert [talk.started for talk in found] == [NOON + hour * HOUR for hour in begins]


@pytest.mark.parametrize(
    ("talk", "now", "returned", "people", "outcome"),
    [
        (TALK, LATER, [], [], "contained"),
        (TALK, NOON + 49 * HOUR, [], [], "open"),
        (TALK, NOON + 49 * HOUR + timedelta(seconds=1), [], [], "contained"),
        (TALK, LATER, [NOON + 49 * HOUR], [], "returned"),
        (TALK, LATER, [NOON, NOON + HOUR, NOON + 49 * HOUR + timedelta(seconds=1)], [], "contained"),
        (TALK, LATER, [], [NOON + 30 * HOUR], "person"),
        (TALK, LATER, [], [NOON - timedelta(seconds=1), NOON + 50 * HOUR], "contained"),
        (Talk(NOON, NOON, "nlu_fallback"), LATER, [], [], "not understood"),
        (Talk(NOON, NOON, "out_of_scope"), LATER, [], [], "not understood"),
    ],
)
def test_what_came_of_a_talk(
    talk: Talk, now: datetime, returned: list[datetime], people: list[datetime], outcome: Outcome
) -> None:
    assert rules.outcome(talk, now, returned, people) == outcome


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 5, 4), 24)]
)
def test_a_day_is_as_long_as_the_clocks_say(day: date, hours: int) -> None:
    begin, end = Period(day, day).moments("Europe/Oslo")
    assert end - begin == hours * HOUR
    assert (
        rules.day_of(begin, "Europe/Oslo") == rules.day_of(end - timedelta(seconds=1), "Europe/Oslo") == day
    )


@given(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(1, rules.LONGEST))
def test_parts_make_up_the_whole_and_few_enough_to_be_drawn(first: date, days: int) -> None:
    whole = Period(first, first + timedelta(days=days - 1))
    found = rules.parts(whole)
    assert [day for part in found for day in part.all_days()] == whole.all_days()
    assert len(found) <= 45
    assert whole.before.days == whole.days
    assert whole.before.last + timedelta(days=1) == whole.first


@pytest.mark.parametrize(
    ("name", "first", "last", "expected"),
    [
        ("7", "", "", (date(2026, 4, 28), date(2026, 5, 4))),
        ("month", "", "", (date(2026, 5, 1), date(2026, 5, 4))),
        ("anything", "", "", (date(2026, 4, 5), date(2026, 5, 4))),
        ("custom", "2026-04-01", "2026-04-01", (date(2026, 4, 1), date(2026, 4, 1))),
    ],
)
def test_periods(name: str, first: str, last: str, expected: tuple[date, date]) -> None:
    assert rules.period(name, first, last, NOON.date()) == Period(*expected)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("", ""),
        ("x", "2026-01-01"),
        ("2026-05-02", "2026-05-01"),
        ("2026-05-01", "2026-05-05"),
        ("0001-01-01",) * 2,
    ],
)
def test_periods_that_make_no_sense(first: str, last: str) -> None:
    with pytest.raises(InvalidInputError):
        rules.period("custom", first, last, NOON.date())


@pytest.mark.parametrize(
    ("waited", "median", "ninety"),
    [([], None, None), ([7], 7, 7), ([1, 2], 1, 2), ([1, 2, 3], 2, 3), (list(range(1, 21)), 10, 18)],
)
def test_what_most_stayed_within(waited: list[int], median: int | None, ninety: int | None) -> None:
    assert (rules.rank(waited, 50), rules.rank(waited, 90)) == (median, ninety)
