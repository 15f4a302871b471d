"""What is asked often is found by an index, on both databases, however large the tables are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.points import repository, service
from rapport.shop.models import Order
from tests.loyalty.points.conftest import NOW
from tests.plans import read_whole, statements

DAY = timedelta(days=1)
LEDGER = ("account", "transaction", "posting", "lot", "lot_movement", "earning", "spending", "membership")

LOOKUPS: dict[str, Callable[[Session, int], object]] = {
    "balance": lambda session, one: service.balance(session, one),
    "statement": lambda session, one: service.statement(session, one, NOW),
    "level": lambda session, one: service.tier(session, one, NOW),
    "history": lambda session, one: service.history(session, one),
    "purse with its open lots": lambda session, one: repository.purses(session, [one]),
    "key": lambda session, one: repository.transaction_by_key(session, f"e{one}"),
    "earning": lambda session, one: repository.credit_of(session, one),
    "lots of an earning": lambda session, one: repository.own_lots(
        session, repository.purses(session, [one])[one], one
    ),
    "lots of a spending": lambda session, one: repository.lots_taken(
        session, repository.purses(session, [one])[one], one
    ),
    "spending": lambda session, one: repository.spending_of(session, one),
    "spendings on an order": lambda session, one: repository.spendings_on(session, one),
    "owner": lambda session, one: repository.owner_of(session, one),
    "owners of an order": lambda session, one: repository.owners_of_order(session, one, f"e{one}"),
    "due to mature": lambda session, one: repository.due_credits(session, NOW, None, 10),
    "lots that ended": lambda session, one: repository.due_lots(session, NOW, (NOW - DAY, 3), 10),
    "holds that ran out": lambda session, one: repository.due_holds(session, NOW, None, 10),
    "levels to look at": lambda session, one: repository.due_reviews(session, NOW, 0, 10),
}


@pytest.fixture(scope="module")
def filled(shared_engine: Engine) -> Engine:
    """A hundred customers with points, for tests that only look."""
    with session_scope(shared_engine) as session:
        for number in range(1, 101):
            _customer(session, number)
    with session_scope(shared_engine) as session:
        session.execute(text("ANALYZE"))
    return shared_engine


def _customer(session: Session, number: int) -> None:
    customer = Customer(name="x")
    session.add(customer)
    session.flush()
    order = Order(
        source="p",
        number=str(number),
        customer_id=customer.id,
        status="paid",
        currency="NOK",
        total_minor=9_000,
        placed_at=NOW,
    )
    session.add(order)
    session.flush()
    service.earn(session, customer.id, 50, key=f"e{number}", reason="gift", expires_at=NOW + DAY, at=NOW)
    service.earn(session, customer.id, 5, key=f"p{number}", reason="gift", matures_at=NOW + DAY, at=NOW)
    service.hold(session, customer.id, 5, key=f"h{number}", until=NOW + DAY, at=NOW)
    service.burn(session, customer.id, 5, key=f"b{number}", reason="order", order_id=order.id, at=NOW)


@pytest.mark.parametrize("name", LOOKUPS)
def test_look_ups_use_indexes(filled: Engine, name: str) -> None:
    with read_scope(filled) as session, statements(filled) as asked:
        LOOKUPS[name](session, 7)
    assert asked
    for one in asked:
        assert set(read_whole(filled, one)).isdisjoint(LEDGER), one[0]
