"""`tips`: something arrived so many `days` ago that knowledge/care.yml has tips for. Each tip once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search
from rapport.outreach.journeys.triggers.orders import Line, delivered
from rapport.shop.knowledge import get_knowledge


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    known = get_knowledge().care.keys()
    for orders in delivered(session, search):
        yield [
            Found(
                order.customer_id,
                f"care:{care}",
                order.due_at,
                {"order_id": order.order_id, "sku": sku, "care": care},
            )
            for order in orders
            if (chosen := first_with_tips(order.lines, known)) is not None
            for sku, care in [chosen]
        ]


def first_with_tips(lines: Iterable[Line], known: Container[str]) -> tuple[str, str] | None:
    """(SKU, key of its tips) of the first thing there are tips for; its own come before its category's."""
    for line in lines:
        for key in (line.sku, line.category):
            if key and key in known:
                return line.sku, key
    return None
