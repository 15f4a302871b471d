"""Finding who begins a journey now: what triggers.KINDS bring, in small transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.loyalty.offers import repository as offers
from rapport.outreach.journeys import entering, triggers
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.triggers import Found

# So many customers are held at once.
CHUNK = 50


def enter_some(session: Session, key: str, journey: Journey, found: Sequence[Found], now: datetime) -> int:
    """Those of the found whom nobody else has in hand begin the journey; how many did.

    The others are found again the next time.
    """
    free = set(offers.lock_free_customers(session, sorted({one.customer_id for one in found})))
    entries = [
        entering.enter(
            session, key, journey, one.customer_id, one.trigger_key, one.anchor_at, one.context, now
        )
        for one in found
        if one.customer_id in free
    ]
    return sum(entry is not None for entry in entries)


def chunks(session: Session, key: str, journey: Journey, now: datetime) -> Iterator[Sequence[Found]]:
    """Who is newly due, so many at a time. Nobody for a journey that is switched off."""
    if not journey.active:
        return
    for batch in triggers.due(session, key, journey, now):
        for first in range(0, len(batch), CHUNK):
            yield batch[first : first + CHUNK]


def enter_found(session: Session, key: str, journey: Journey, now: datetime) -> int:
    """All of them in one transaction: for looking at what would happen."""
    return sum(enter_some(session, key, journey, found, now) for found in chunks(session, key, journey, now))
