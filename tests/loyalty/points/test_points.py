"""The points ledger: every movement once, always in balance."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.database import session_scope
from rapport.loyalty.points import repository, service
from rapport.loyalty.points.models import Account, Posting, Transaction
from rapport.shop.models import Order, Refund
from tests.loyalty.threads import at_once

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


@pytest.fixture
def order(engine: Engine) -> Order:
    with session_scope(engine) as session:
        customer = Customer(name="Kari")
        session.add(customer)
        session.flush()
        order = Order(
            source="shop",
            number="FJ-1",
            customer_id=customer.id,
            status="delivered",
            currency="NOK",
            total_minor=12_345,
            placed_at=NOW,
        )
        session.add(order)
    return order


def _refund(session: Session, order: Order, reference: str, amount: int) -> Refund:
    refund = Refund(
        order_id=order.id, source="shop", reference=reference, amount_minor=amount, currency="NOK", at=NOW
    )
    session.add(refund)
    return refund


def _balance(engine: Engine, order: Order) -> int:
    assert order.customer_id is not None
    with session_scope(engine) as session:
        assert repository.unbalanced_transactions(session) == []
        assert session.scalar(select(func.sum(Posting.points))) in (0, None)
        return service.balance(session, order.customer_id)


def test_an_order_earns_once(engine: Engine, order: Order) -> None:
    for expected in (12, 0, 0):
        with session_scope(engine) as session:
            assert service.earn_for_order(session, order) == expected
    assert _balance(engine, order) == 12


def test_forty_at_once_earn_once(engine: Engine, order: Order) -> None:
    def earn() -> int:
        with session_scope(engine) as session:
            return service.earn_for_order(session, order)

    assert sorted(at_once(40, earn)) == [0] * 39 + [12]
    assert _balance(engine, order) == 12
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Transaction)) == 1
        assert session.scalar(select(func.count()).select_from(Account)) == 2


@pytest.mark.parametrize(
    "changes", [{"customer_id": None}, {"status": "cancelled"}, {"currency": "EUR"}, {"total_minor": 999}]
)
def test_what_earns_nothing(engine: Engine, order: Order, changes: dict[str, object]) -> None:
    with session_scope(engine) as session:
        merged = session.merge(order)
        for name, value in changes.items():
            setattr(merged, name, value)
        assert service.earn_for_order(session, merged) == 0
    assert _balance(engine, order) == 0


def test_a_whole_refund_reverses_once(engine: Engine, order: Order) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order)
        refund = _refund(session, order, "r1", 12_345)
        assert service.reverse_for_refund(session, refund) == 12
        earned = repository.transaction_by_key(session, f"earn:order:{order.id}")
        reversal = repository.transaction_by_key(session, f"refund:{refund.id}")
        assert earned is not None
        assert reversal is not None
        assert reversal.reverses_id == earned.id
    with session_scope(engine) as session:
        assert service.reverse_for_refund(session, refund) == 0
        assert service.earn_for_order(session, order) == 0
    assert _balance(engine, order) == 0


def test_parts_add_up(engine: Engine, order: Order) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order)
    for reference, amount, taken, left in (
        ("a", 345, 0, 12),
        ("b", 1_000, 1, 11),
        ("c", 6_001, 7, 4),
        ("d", 9_999, 4, 0),
    ):
        with session_scope(engine) as session:
            assert service.reverse_for_refund(session, _refund(session, order, reference, amount)) == taken
        assert _balance(engine, order) == left


def test_two_refunds_at_once(engine: Engine, order: Order) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order)
        refunds = [_refund(session, order, f"r{number}", 1_000) for number in range(10)]
    waiting = list(refunds)

    def reverse() -> int:
        refund = waiting.pop()
        with session_scope(engine) as session:
            return service.reverse_for_refund(session, refund)

    at_once(10, reverse)
    assert _balance(engine, order) == 2


def test_what_was_paid_back_before_earns_nothing(engine: Engine, order: Order) -> None:
    with session_scope(engine) as session:
        refund = _refund(session, order, "r", 10_000)
        assert service.earn_for_order(session, order) == 2
        assert service.reverse_for_refund(session, refund) == 0
    assert _balance(engine, order) == 2


def test_a_refund_without_order(engine: Engine) -> None:
    with session_scope(engine) as session:
        refund = Refund(source="file", reference="C1", amount_minor=500, currency="NOK", at=NOW)
        session.add(refund)
        assert service.reverse_for_refund(session, refund) == 0
