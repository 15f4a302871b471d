"""`related`: what others bought beside what arrived so many `days` ago, and this person does not have yet.

Once for each order; nothing where too few people's purchases tell what goes with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search, not_entered
from rapport.outreach.journeys.triggers.orders import bought_by, delivered
from rapport.shop import repository
from rapport.shop.recommendations import FEWEST_OTHERS, NEWEST_BUYERS, PERIOD

# What goes with a product is looked up once for all who bought it; some of it most of them have already.
MOST = 8


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    @cache
    def along(sku: str) -> list[str]:
        return repository.bought_along(
            session,
            sku,
            search.now - PERIOD,
            buyers=NEWEST_BUYERS,
            at_least=FEWEST_OTHERS + 1,  # the customer may be one of them
            limit=MOST,
        )

    for orders in delivered(session, search):
        # Looking up what goes with something costs most, so only for those who are not on the journey.
        bought = {f"order:{order.order_id}": order.lines[0].sku for order in orders if order.lines}
        new = not_entered(
            session,
            search.key,
            [
                Found(order.customer_id, key, order.due_at, {"order_id": order.order_id})
                for order in orders
                if (key := f"order:{order.order_id}") in bought
            ],
        )
        owned = bought_by(session, {one.customer_id for one in new})
        found = []
        for one in new:
            have = owned.get(one.customer_id, {})
            sku = next((sku for sku in along(bought[one.trigger_key]) if sku not in have), None)
            if sku is not None:
                found.append(
                    Found(one.customer_id, one.trigger_key, one.anchor_at, {**one.context, "sku": sku})
                )
        yield found
