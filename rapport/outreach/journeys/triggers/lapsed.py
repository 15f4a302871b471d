"""`lapsed`: customers at risk of being lost, who spent most first, so many a day (`a_day`).

Who is meant is the journey's audience: its segments, else those at risk and asleep. Once after each last
order, and not again within the journey's `again_days`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from rapport.customers.rules import NEWSLETTER
from rapport.loyalty.offers.occasions import agreed_among
from rapport.outreach.journeys.models import JourneyEntry
from rapport.outreach.journeys.triggers import base
from rapport.outreach.journeys.triggers.base import Found, Search, not_entered
from rapport.shop.facts import get_facts
from rapport.value.models import CustomerValue

SEGMENTS = ("at_risk", "hibernating")
A_DAY = 50
# So many are looked at in one run, however many of them cannot enter.
MOST_LOOKED_AT = 20_000


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    """Goes on until so many have entered today as may: who was found and could not takes nobody's place."""
    people = _who_may(session, search)
    while (left := room(session, search)) > 0 and (some := list(islice(people, left))):
        yield some


def room(session: Session, search: Search) -> int:
    """How many may still enter today."""
    return (search.journey.trigger.a_day or A_DAY) - _entered_today(session, search)


def _who_may(session: Session, search: Search) -> Iterator[Found]:
    """Who agreed to hear from us and was not on the journey lately, the best first."""
    segments = search.journey.audience.segments or SEGMENTS
    best = islice(
        heapq.merge(
            *(_of_segment(session, segment) for segment in segments), key=lambda row: -row.revenue_minor
        ),
        MOST_LOOKED_AT,
    )
    while rows := list(islice(best, base.BATCH)):
        ids = [row.customer_id for row in rows]
        agreed = agreed_among(session, ids) if search.journey.purpose == NEWSLETTER else set(ids)
        free = agreed - _lately_on_it(session, search, ids)
        yield from not_entered(
            session,
            search.key,
            [
                Found(row.customer_id, f"after:{row.last_order_at:%Y-%m-%d}", search.now)
                for row in rows
                if row.customer_id in free
            ],
        )


def _of_segment(session: Session, segment: str) -> Iterator[Any]:
    place = (CustomerValue.revenue_minor, CustomerValue.customer_id)
    query = (
        select(CustomerValue.customer_id, CustomerValue.revenue_minor, CustomerValue.last_order_at)
        .where(CustomerValue.segment == segment, CustomerValue.last_order_at.is_not(None))
        .order_by(*(column.desc() for column in place))
        .limit(base.BATCH)
    )
    rows = session.execute(query).all()
    while rows:
        yield from rows
        last = rows[-1]
        rows = session.execute(query.where(tuple_(*place) < (last.revenue_minor, last.customer_id))).all()


def _lately_on_it(session: Session, search: Search, customer_ids: Sequence[int]) -> set[int]:
    since = search.now - timedelta(days=search.journey.again_days)
    query = select(JourneyEntry.customer_id).where(
        JourneyEntry.customer_id.in_(customer_ids),
        JourneyEntry.journey == search.key,
        JourneyEntry.entered_at > since,
    )
    return set(session.scalars(query))


def _entered_today(session: Session, search: Search) -> int:
    """How many entered since the shop's midnight."""
    zone = ZoneInfo(get_facts().timezone)
    midnight = datetime.combine(search.now.astimezone(zone).date(), time(), zone).astimezone(UTC)
    query = select(func.count()).where(
        JourneyEntry.journey == search.key, JourneyEntry.entered_at >= midnight
    )
    return session.scalar(query) or 0
