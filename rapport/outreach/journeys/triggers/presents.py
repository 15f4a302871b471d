"""`birthday`, `anniversary`, `surprise`, `recovery`: a present was given unasked (by the offers' task).

The journey tells of that very code and gives no other, once for each occasion.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.loyalty.offers.models import Coupon
from rapport.outreach.journeys.triggers.base import Finder, Found, Search, batches


def given_for(occasion: str) -> Finder:
    """Finds who was given a present for this occasion and can still use it."""

    def find(session: Session, search: Search) -> Iterator[list[Found]]:
        query = select(
            Coupon.id, Coupon.customer_id, Coupon.grant_key, Coupon.reason, Coupon.issued_at.label("at")
        ).where(
            Coupon.issued_at > search.since - search.days,
            Coupon.issued_at <= search.now - search.days,
            Coupon.occasion == occasion,
            Coupon.state == "issued",
            Coupon.expires_at > search.now,
            Coupon.grant_key.is_not(None),
        )
        for rows in batches(session, query, Coupon.issued_at, Coupon.id):
            yield [
                Found(
                    row.customer_id,
                    row.grant_key,
                    row.at + search.days,
                    {"coupon_id": row.id}
                    | {name: row.reason[name] for name in ("years", "case_id") if name in row.reason},
                )
                for row in rows
            ]

    return find
