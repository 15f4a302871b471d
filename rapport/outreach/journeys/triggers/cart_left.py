"""`cart_left`: a customer's cart is not empty and was not touched for `minutes`. Once as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import and_, exists, null, or_, select
from sqlalchemy.orm import Session, aliased

from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.shop.models import Order
from rapport.site.models import SiteEvent
from rapport.site.rules import CART, CHECKOUT

MINUTES = 60
# After that it was hardly forgotten.
TOO_OLD = timedelta(hours=48)


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    wait = search.wait(MINUTES)
    later = aliased(SiteEvent)
    query = select(SiteEvent.id, SiteEvent.customer_id, SiteEvent.cart, SiteEvent.at.label("at")).where(
        SiteEvent.kind == CART,
        SiteEvent.at > max(search.since - wait, search.now - TOO_OLD),
        SiteEvent.at <= search.now - wait,
        SiteEvent.customer_id.is_not(None),
        SiteEvent.cart.is_not(null()),
        # Also on another device of theirs.
        ~exists().where(
            later.customer_id == SiteEvent.customer_id,
            later.kind.in_((CART, CHECKOUT)),
            or_(later.at > SiteEvent.at, and_(later.at == SiteEvent.at, later.id > SiteEvent.id)),
        ),
        ~exists().where(Order.customer_id == SiteEvent.customer_id, Order.placed_at >= SiteEvent.at),
    )
    for rows in batches(session, query, SiteEvent.at, SiteEvent.id):
        yield [
            Found(
                row.customer_id,
                # A database may give the number of the cart before again.
                f"cart:{row.id}:{int(row.at.timestamp())}",
                row.at + wait,
                {"skus": [item["sku"] for item in row.cart["items"]]}
                | ({"link": row.cart["url"]} if "url" in row.cart else {}),
            )
            for row in rows
        ]
