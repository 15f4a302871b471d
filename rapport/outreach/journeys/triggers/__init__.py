"""What begins a journey: one small module for each kind, which finds in the database who is due.

To add a kind, write a module with a `find` and its line in `KINDS`. A query goes through an index and in
batches; tests/outreach/journeys/triggers/test_plans.py holds it to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.triggers import (
    back_in_stock,
    care,
    cart_left,
    complaints,
    delivered,
    lapsed,
    points_end,
    presents,
    product_viewed,
    refill,
    related,
    signed_up,
    subscribed,
)
from rapport.outreach.journeys.triggers.base import LOOK_BACK, Finder, Found, Search, not_entered

__all__ = ["KINDS", "LOOK_BACK", "QUICK", "Finder", "Found", "Search", "due", "room"]

KINDS: dict[str, Finder] = {
    "delivered": delivered.find,
    "tips": care.find,
    "related": related.find,
    "subscribed": subscribed.find,
    "refill": refill.find,
    "lapsed": lapsed.find,
    "points_end": points_end.find,
    "birthday": presents.given_for("birthday"),
    "anniversary": presents.given_for("anniversary"),
    "surprise": presents.given_for("surprise"),
    "recovery": presents.given_for("recovery"),
    "complaint_solved": complaints.find,
    # What people do on the site.
    "cart_left": cart_left.find,
    "product_viewed": product_viewed.find,
    "back_in_stock": back_in_stock.find,
    "signed_up": signed_up.find,
}

# Looked for every minute; for the others, which read a week of orders and the like, now and then will do.
QUICK = frozenset({"product_viewed", "cart_left", "back_in_stock", "signed_up"})


def due(
    session: Session, key: str, journey: Journey, now: datetime, look_back: timedelta = LOOK_BACK
) -> Iterator[list[Found]]:
    """Who begins the journey now and is not on it for the same reason yet, in batches.

    What became due before `look_back` is let go. The caller may commit between two batches. Nobody, while
    there is no such trigger (`KINDS`).
    """
    finder = KINDS.get(journey.trigger.on)
    if finder is None:
        return
    for found in finder(session, Search(key, journey, now - look_back, now)):
        if new := not_entered(session, key, found):
            yield new


def room(session: Session, key: str, journey: Journey, now: datetime) -> int | None:
    """How many may still enter today; None for as many as there are."""
    if KINDS.get(journey.trigger.on) is not lapsed.find:
        return None
    return lapsed.room(session, Search(key, journey, now, now))
