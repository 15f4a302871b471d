"""What the database counts is what the rules say, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from rapport.insight import counting
from rapport.kit.database import read_scope
from tests.insight.histories import TIMEZONE, Thread, counted, store, threads

DAYS = [date(2026, 10, 23) + timedelta(days=number) for number in range(6)]


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    history=st.lists(threads(), min_size=1, max_size=4),
    now=st.sampled_from([DAYS[-1], DAYS[3]]).map(
        lambda day: datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    ),
)
def test_the_database_counts_as_the_rules_do(engine: Engine, history: list[Thread], now: datetime) -> None:
    store(engine, history)
    with read_scope(engine) as session:
        for day in DAYS:
            rows, _ = counting.count_day(session, day, TIMEZONE, now)
            keys = ("day", "channel", "language")
            found = {
                (row["channel"], row["language"]): {
                    name: value for name, value in row.items() if name not in keys and value
                }
                for row in rows
            }
            assert {key: row for key, row in found.items() if row} == counted(history, day, now), day
