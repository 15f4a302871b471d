"""`subscribed`: somebody agreed to the newsletter. Once for each person, also if they leave and come back."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.customers.models import ConsentEvent
from rapport.customers.rules import IMPORTED_WORDING, NEWSLETTER
from rapport.outreach.journeys.triggers.base import Found, Search, batches

TRIGGER_KEY = "subscribed"


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    query = select(ConsentEvent.id, ConsentEvent.customer_id, ConsentEvent.at.label("at")).where(
        ConsentEvent.purpose == NEWSLETTER,
        ConsentEvent.at > search.since - search.days,
        ConsentEvent.at <= search.now - search.days,
        ConsentEvent.granted,
        # Who agreed elsewhere long ago and comes with a file has been welcomed there.
        ConsentEvent.wording_version != IMPORTED_WORDING,
    )
    for rows in batches(session, query, ConsentEvent.at, ConsentEvent.id):
        yield [Found(row.customer_id, TRIGGER_KEY, row.at + search.days) for row in rows]
