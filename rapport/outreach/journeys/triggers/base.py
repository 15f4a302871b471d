"""What all triggers have in common: what they are asked, what they answer, how they read on in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, tuple_
from sqlalchemy.orm import Session

from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.models import JourneyEntry

# What became due longer ago than this is let go: who installs Rapport, or switches a journey on, does not
# write to everybody about last year; and what nothing ran for in the meantime is still made up for.
LOOK_BACK = timedelta(days=7)
BATCH = 500


@dataclass(frozen=True)
class Found:
    """Somebody for whom a journey begins, because of what `trigger_key` names: once for each.

    The first step counts from `anchor_at`. `context` says what it is about: `order_id`, `sku`, `care` (a key
    of knowledge/care.yml), `coupon_id`, `case_id`, `points`, `expires_at` and `until` (ISO 8601), `years`.
    """

    customer_id: int
    trigger_key: str
    anchor_at: datetime
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """For which journey, and what became due in (`since`, `now`]."""

    key: str
    journey: Journey
    since: datetime
    now: datetime

    @property
    def days(self) -> timedelta:
        """The days the trigger names: after what happened, or before what is coming."""
        return timedelta(days=self.journey.trigger.days or 0)

    def wait(self, minutes: int) -> timedelta:
        """The days or minutes the trigger names; else these minutes."""
        trigger = self.journey.trigger
        return self.days if trigger.days is not None else timedelta(minutes=trigger.minutes or minutes)


# In batches, the longest due first. The caller may commit between two of them.
Finder = Callable[[Session, Search], Iterator[list[Found]]]


def batches(session: Session, query: Any, at: Any, row_id: Any) -> Iterator[Sequence[Row[Any]]]:
    """The rows of a query that selects them as `at` and `id`, in their order, `BATCH` at a time."""
    query = query.order_by(at, row_id).limit(BATCH)
    rows = session.execute(query).all()
    while rows:
        yield rows
        if len(rows) < BATCH:
            break
        rows = session.execute(query.where(tuple_(at, row_id) > (rows[-1].at, rows[-1].id))).all()


def not_entered(session: Session, key: str, found: Sequence[Found]) -> list[Found]:
    """Those who are not on the journey for that reason yet; each reason once."""
    known = {
        (row.customer_id, row.trigger_key)
        for row in session.execute(
            select(JourneyEntry.customer_id, JourneyEntry.trigger_key).where(
                JourneyEntry.customer_id.in_({one.customer_id for one in found}), JourneyEntry.journey == key
            )
        )
    }
    new = []
    for one in found:
        if (one.customer_id, one.trigger_key) not in known:
            known.add((one.customer_id, one.trigger_key))
            new.append(one)
    return new
