"""Background work: counting days, and segments after each valuation."""

from __future__ import annotations

from sqlalchemy import Engine

from rapport.insight import counting, rules, segments
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.shop.facts import get_facts

# So that a long history does not keep other jobs waiting; the rest is counted the next time.
MOST_DAYS = 400


def count_days(engine: Engine) -> str:
    """Counts the days that were not, or that could still change; each in a short transaction."""
    timezone = get_facts().timezone
    now = clock.now()
    today = rules.day_of(now, timezone)
    with read_scope(engine) as session:
        first = counting.first_message(session)
        since = today if first is None else rules.day_of(first, timezone)
        counted = counting.counted_days(session, since, today)
    days = counting.days_to_count(counted, since, today, timezone)[:MOST_DAYS]
    for day in days:
        with read_scope(engine) as session:
            rows = counting.count_day(session, day, timezone, now)
        with session_scope(engine) as session:
            counting.store_day(session, day, rows, now)
    return f"{len(days)} days"


def count_segments(engine: Engine) -> str:
    """Counts segments and the moves between them."""
    moved = segments.count(engine, rules.day_of(clock.now(), get_facts().timezone))
    return f"{moved} customers moved"
