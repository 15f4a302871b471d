"""Journeys to find people for, and what was found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.outreach.journeys import triggers
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.models import JourneyEntry
from rapport.outreach.journeys.triggers import Found
from rapport.shop.models import Order, OrderItem, Product
from tests.loyalty.offers.shop import NOW

WORDS = {language: {"subject": "Hello", "text": "Hello."} for language in ("en", "es", "nb", "ro")}


def journey(on: str, **more: Any) -> Journey:
    """A journey of one step that begins with `on`; `days` and the like are the trigger's."""
    trigger = {"on": on} | {
        name: more.pop(name) for name in ("days", "minutes", "a_day", "only") if name in more
    }
    rest = {"name": "Test", "about": "A test.", "purpose": "tips", "steps": [{"key": "one", "words": WORDS}]}
    return Journey.model_validate(rest | {"trigger": trigger} | more)


def found(session: Session, one: Journey, now: datetime = NOW, key: str = "test") -> list[Found]:
    """Everybody who is due, without the batches."""
    return [somebody for batch in triggers.due(session, key, one, now) for somebody in batch]


def enter(session: Session, somebody: Found, key: str = "test") -> None:
    """Put somebody on the journey."""
    session.add(
        JourneyEntry(
            customer_id=somebody.customer_id,
            journey=key,
            trigger_key=somebody.trigger_key,
            variant="a",
            anchor_at=somebody.anchor_at,
            entered_at=NOW,
        )
    )
    session.flush()


def put(session: Session, order: Order, sku: str, price_minor: int = 10_000) -> None:
    """One more line of an order."""
    product = session.query(Product).filter_by(sku=sku).one_or_none()
    session.add(
        OrderItem(
            order_id=order.id,
            line=session.query(OrderItem).filter_by(order_id=order.id).count() + 1,
            product_id=product.id if product else None,
            sku=sku,
            quantity=1,
            unit_price_minor=price_minor,
        )
    )
    session.flush()
