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


def found(
    session: Session, key: str, journey: Journey, now: datetime
) -> Iterator[tuple[Sequence[Found], dict[int, str]]]:
    """Who is newly due, in batches, and of each batch whom nothing of the journey can reach, and why.

    Nobody for a journey that is switched off.
    """
    for batch in triggers.due(session, key, journey, now) if journey.active else ():
        yield batch, entering.barred(session, key, journey, {one.customer_id for one in batch}, now)


def chunks(session: Session, key: str, journey: Journey, now: datetime) -> Iterator[Sequence[Found]]:
    """Who is newly due and can be reached, so many at a time.

    Who cannot is found again as long as the trigger finds them, and enters if they can be reached by then.
    """
    for batch, barred in found(session, key, journey, now):
        free = [one for one in batch if one.customer_id not in barred]
        for first in range(0, len(free), CHUNK):
            yield free[first : first + CHUNK]
