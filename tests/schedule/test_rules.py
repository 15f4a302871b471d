"""When jobs are due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.schedule.rules import Daily, Every, LastRun, is_due

NIGHTLY = Daily(time(3, 0))
QUARTERLY = Every(timedelta(minutes=15))
OSLO = "Europe/Oslo"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ended(start: str) -> LastRun:
    return LastRun(at(start), at(start) + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (LastRun(), "2026-11-22T12:00", True),
        (ended("2026-11-22T02:00"), "2026-11-22T12:00", False),  # at three in the night, in Oslo
        (ended("2026-11-22T01:59"), "2026-11-22T01:59:30", False),
        (ended("2026-11-22T01:59"), "2026-11-22T02:00", True),
        (ended("2026-11-20T02:00"), "2026-11-22T12:00", True),  # nothing ran for two days: once
        (LastRun(at("2026-11-22T02:00"), None, at("2026-11-22T04:00")), "2026-11-22T03:59", False),
        (LastRun(at("2026-11-22T02:00"), None, at("2026-11-22T04:00")), "2026-11-22T04:00", True),
        (LastRun(at("2026-11-22T02:00"), at("2026-11-21T02:01")), "2026-11-22T02:10", True),
    ],
)
def test_nightly(last: LastRun, now: str, due: bool) -> None:
    assert is_due(NIGHTLY, last, at(now), OSLO) is due


def test_the_hour_that_is_skipped_in_spring_and_comes_twice_in_autumn() -> None:
    job = Daily(time(2, 30))
    for day, hours in (("2027-03-28", 6), ("2026-10-25", 6)):
        last = ended(f"{day}T00:00")
        starts = []
        for quarter in range(hours * 4):
            now = at(f"{day}T00:00") + timedelta(minutes=15 * quarter)
            if is_due(job, last, now, OSLO):
                starts.append(now)
                last = LastRun(now, now)
        assert len(starts) == 1


@given(st.integers(0, 10_000))
def test_every(seconds: int) -> None:
    last = ended("2026-11-22T12:00")
    now = at("2026-11-22T12:00") + timedelta(seconds=seconds)
    assert is_due(QUARTERLY, last, now, OSLO) is (seconds >= 900)


@pytest.mark.parametrize(
    ("rhythm", "said"),
    [
        (Every(timedelta(minutes=1)), "every minute"),
        (QUARTERLY, "every 15 minutes"),
        (Every(timedelta(hours=1)), "every hour"),
        (NIGHTLY, "daily at 03:00"),
    ],
)
def test_a_rhythm_in_words(rhythm: Every | Daily, said: str) -> None:
    assert str(rhythm) == said
