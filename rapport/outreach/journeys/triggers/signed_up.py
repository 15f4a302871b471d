"""`signed_up`: somebody made an account on the site `days` ago. Once for each person."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.site.models import SiteEvent
from rapport.site.rules import SIGN_UP

TRIGGER_KEY = "signed_up"


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    query = select(SiteEvent.id, SiteEvent.customer_id, SiteEvent.at.label("at")).where(
        SiteEvent.kind == SIGN_UP,
        SiteEvent.at > search.since - search.days,
        SiteEvent.at <= search.now - search.days,
        SiteEvent.customer_id.is_not(None),
    )
    for rows in batches(session, query, SiteEvent.at, SiteEvent.id):
        yield [Found(row.customer_id, TRIGGER_KEY, row.at + search.days) for row in rows]
