"""What is known of somebody who asks for a discount."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from rapport.customers.models import Customer, Identity
from rapport.loyalty.offers import lookups
from rapport.shop.models import Order, Refund
from tests.loyalty.offers.shop import NOW


def _order(session: Session, customer: Customer, status: str, refunded: int = 0, total: int = 5000) -> None:
    number = f"{customer.id}-{status}-{refunded}-{total}"
    order = Order(
        source="t",
        number=number,
        customer_id=customer.id,
        status=status,
        currency="NOK",
        total_minor=total,
        placed_at=NOW,
    )
    session.add(order)
    session.flush()
    if refunded:
        session.add(
            Refund(
                order_id=order.id,
                source="t",
                reference=number,
                amount_minor=refunded,
                currency="NOK",
                at=NOW + timedelta(days=1),
            )
        )
        session.flush()


@pytest.fixture
def pair(session: Session) -> tuple[Customer, Customer]:
    """Two customers with one mailbox."""
    made = (Customer(name="Ann"), Customer(name="Ann again"))
    session.add_all(made)
    session.flush()
    for customer, address in zip(made, ("ann@gmail.com", "a.n.n+shop@gmail.com"), strict=True):
        session.add(Identity(customer_id=customer.id, kind="email", value=address))
    session.flush()
    return made


def test_orders_paid_by_one_and_placed_by_all_at_a_mailbox(
    session: Session, pair: tuple[Customer, Customer]
) -> None:
    ann, again = pair
    for status in ("placed", "paid", "shipped", "delivered", "cancelled", "refunded"):
        _order(session, ann, status)
    _order(session, ann, "delivered", refunded=2000)  # in part
    _order(session, ann, "delivered", refunded=5000)  # whole
    _order(session, ann, "paid", total=0)  # a present
    _order(session, again, "placed")
    assert lookups.same_mailbox(session, ann.id) == [ann.id, again.id]
    assert lookups.orders_of(session, ann.id) == (5, 7)
    assert lookups.orders_of(session, again.id) == (0, 7)


def test_somebody_without_anything(session: Session) -> None:
    nobody = Customer()
    session.add(nobody)
    session.flush()
    assert lookups.same_mailbox(session, nobody.id) == [nobody.id]
    assert lookups.orders_of(session, nobody.id) == (0, 0)
    assert lookups.uses(session, nobody.id, NOW) == {}
    assert lookups.interests_of(session, nobody.id) == frozenset()
