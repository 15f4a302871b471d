"""`product_viewed`: a customer looked at a product on two days and never bought it. Once for each product."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.shop.models import Order, OrderItem, Product
from rapport.site.models import SiteEvent
from rapport.site.rules import VIEW

# They have left the site by then.
MINUTES = 60


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    wait = search.wait(MINUTES)
    before = aliased(SiteEvent)
    bought = (
        exists()
        .where(Order.customer_id == SiteEvent.customer_id, OrderItem.order_id == Order.id)
        .where(OrderItem.product_id == SiteEvent.product_id)
    )
    query = (
        select(
            SiteEvent.id,
            SiteEvent.customer_id,
            SiteEvent.product_id,
            Product.sku,
            SiteEvent.at.label("at"),
        )
        .join(Product, Product.id == SiteEvent.product_id)
        .where(
            SiteEvent.kind == VIEW,
            SiteEvent.at > search.since - wait,
            SiteEvent.at <= search.now - wait,
            SiteEvent.customer_id.is_not(None),
            exists().where(
                before.customer_id == SiteEvent.customer_id,
                before.kind == VIEW,
                before.product_id == SiteEvent.product_id,
                before.day < SiteEvent.day,
            ),
            ~bought,
        )
    )
    for rows in batches(session, query, SiteEvent.at, SiteEvent.id):
        yield [
            Found(row.customer_id, f"viewed:{row.product_id}", row.at + wait, {"sku": row.sku})
            for row in rows
        ]
