"""`delivered`: an order arrived so many `days` ago and was kept. Once for each order."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search
from rapport.outreach.journeys.triggers.orders import delivered


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    for orders in delivered(session, search):
        yield [
            Found(
                order.customer_id,
                f"order:{order.order_id}",
                order.due_at,
                {"order_id": order.order_id, **({"sku": order.lines[0].sku} if order.lines else {})},
            )
            for order in orders
        ]
