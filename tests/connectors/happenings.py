"""Events of orders for tests: one order of a tent and two bottles, as a shop tells of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.connectors.order_events import OrderEvent
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Offer
from rapport.loyalty.points.tasks import check
from rapport.shop.models import Order

PLACED_AT = datetime(2026, 5, 4, 7, 30, tzinfo=UTC)
TOTAL = 150_000
ANN = {"id": "c-1042", "email": "ann@customer.example", "name": "Ann Berg", "country": "NO"}
ORDER: dict[str, Any] = {
    "currency": "NOK",
    "total_minor": TOTAL,
    "items": [
        {"sku": "FJ-TENT-2", "name": "Tunnel tent", "quantity": 1, "unit_price_minor": 120_000},
        {"sku": "FJ-BOTTLE", "quantity": 2, "unit_price_minor": 15_000},
    ],
    "customer": ANN,
}


def details(**changes: Any) -> dict[str, Any]:
    """The order, changed."""
    return ORDER | changes


def event(kind: str, hours: float = 0, **values: Any) -> OrderEvent:
    """An event so many hours after the order was placed; a placed one carries the order."""
    given: dict[str, Any] = {
        "kind": kind,
        "event_id": f"{values.get('number', 'FJ-20017')}:{kind}",
        "number": "FJ-20017",
        "at": PLACED_AT + timedelta(hours=hours),
    }
    if kind == "placed":
        given["order"] = ORDER
    return OrderEvent.model_validate(given | values)


def refund(amount: int, reference: str = "r-1", hours: float = 100, **values: Any) -> OrderEvent:
    """Money given back."""
    said = {"reference": reference, "amount_minor": amount, "reason": "Too small"}
    return event("refunded", hours, **{"event_id": f"refund:{reference}", "refund": said} | values)


def the_order(session: Session, number: str = "FJ-20017") -> Order:
    session.flush()
    session.expire_all()
    return session.scalars(select(Order).where(Order.number == number)).one()


def sound(session: Session) -> bool:
    """Whether the ledger adds up."""
    session.flush()
    problems = check(session)
    assert problems == []
    return True


def ann(session: Session) -> int:
    """The id of the customer in the events."""
    return customers.ensure_customer(
        session, references=[("shop", ANN["id"])], identities=[("email", ANN["email"])]
    ).id


def coupon_of(session: Session, customer_id: int, percent: int = 10) -> str:
    """A code the customer was given."""
    if session.scalar(select(Offer.id)) is None:
        session.add(Offer(key="welcome", percent=percent))
        session.flush()
    with clock.freeze(PLACED_AT - timedelta(days=1)):
        discount = offers.offer_discount(session, customer_id)
    assert discount is not None
    return discount.code
