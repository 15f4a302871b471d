"""Points of orders: earned once, pending during the return period, taken back with refunds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.points import repository, service, tasks
from rapport.loyalty.points.models import Account, Earning, Transaction
from rapport.shop.models import Order, Refund
from tests.loyalty.threads import at_once

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)


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


def _mature(engine: Engine, at: datetime = NOW + 31 * DAY) -> None:
    with session_scope(engine) as session:
        tasks.run(session, at)


def _state(engine: Engine, order: Order) -> tuple[int, int, int]:
    """(spendable, pending, owed), when all adds up."""
    assert order.customer_id is not None
    with read_scope(engine) as session:
        assert tasks.check(session) == []
        now = service.statement(session, order.customer_id, NOW)
        return now.available, now.pending, now.debt


def test_an_order_earns_once(engine: Engine, order: Order) -> None:
    for expected in (12, 0, 0):
        with session_scope(engine) as session:
            assert service.earn_for_order(session, order) == expected
    assert _state(engine, order) == (0, 12, 0)


def test_it_is_spendable_after_the_return_period(engine: Engine, order: Order) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order, NOW)
    _mature(engine, NOW + 30 * DAY - timedelta(seconds=1))
    assert _state(engine, order) == (0, 12, 0)
    for _ in range(2):
        _mature(engine, NOW + 30 * DAY)
        assert _state(engine, order) == (12, 0, 0)
    with read_scope(engine) as session:
        assert order.customer_id is not None
        statement = service.statement(session, order.customer_id, NOW)
        assert statement.next_expiry == (12, NOW + (30 + 730) * DAY)


@pytest.mark.parametrize("told", ["by earning again", "by a note", "only in the order"])
def test_the_return_period_begins_with_delivery(engine: Engine, order: Order, told: str) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order, NOW)
    with session_scope(engine) as session:
        merged = session.merge(order)
        merged.delivered_at = NOW + 5 * DAY
        if told == "by earning again":
            assert service.earn_for_order(session, merged) == 0
        elif told == "by a note":
            service.note_delivery(session, merged)
        if told != "only in the order":
            assert session.scalars(select(Earning.matures_at)).one() == NOW + 35 * DAY
    _mature(engine, NOW + 34 * DAY)
    assert _state(engine, order) == (0, 12, 0)
    _mature(engine, NOW + 35 * DAY)
    assert _state(engine, order) == (12, 0, 0)


def test_forty_at_once_earn_once(engine: Engine, order: Order) -> None:
    def earn() -> int:
        with session_scope(engine) as session:
            return service.earn_for_order(session, order)

    assert sorted(at_once(40, earn)) == [0] * 39 + [12]
    assert _state(engine, order) == (0, 12, 0)
    with read_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Transaction)) == 1
        assert session.scalar(select(func.count()).select_from(Account)) == 4 + 3


@pytest.mark.parametrize(
    "changes", [{"customer_id": None}, {"status": "cancelled"}, {"currency": "EUR"}, {"total_minor": 999}]
)
def test_what_earns_nothing(engine: Engine, order: Order, changes: dict[str, object]) -> None:
    with session_scope(engine) as session:
        merged = session.merge(order)
        for name, value in changes.items():
            setattr(merged, name, value)
        assert service.earn_for_order(session, merged) == 0
    with read_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Transaction)) == 0


@pytest.mark.parametrize("mature", [False, True])
def test_a_whole_refund_reverses_once(engine: Engine, order: Order, mature: bool) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order, NOW)
    if mature:
        _mature(engine)
    with session_scope(engine) as session:
        refund = _refund(session, order, "r1", 12_345)
        assert service.reverse_for_refund(session, refund) == 12
        earned = repository.transaction_by_key(session, f"earn:order:{order.id}")
        assert earned is not None
        reversal = session.scalars(select(Transaction).where(Transaction.reverses_id == earned.id)).one()
        assert (reversal.kind, reversal.points, reversal.about_id) == ("take_back", 12, earned.id)
    with session_scope(engine) as session:
        assert service.reverse_for_refund(session, refund) == 0
        assert service.earn_for_order(session, order) == 0
    assert _state(engine, order) == (0, 0, 0)
    _mature(engine)
    assert _state(engine, order) == (0, 0, 0)


@pytest.mark.parametrize("mature_after", [None, "", "a", "b", "c"])
def test_parts_add_up(engine: Engine, order: Order, mature_after: str | None) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order, NOW)
    if mature_after == "":
        _mature(engine)
    for reference, amount, taken, left in (
        ("a", 345, 0, 12),
        ("b", 1_000, 1, 11),
        ("c", 6_001, 7, 4),
        ("d", 9_999, 4, 0),
    ):
        with session_scope(engine) as session:
            assert service.reverse_for_refund(session, _refund(session, order, reference, amount)) == taken
        available, pending, owed = _state(engine, order)
        assert (available + pending, owed) == (left, 0)
        if reference == mature_after:
            _mature(engine)
            assert _state(engine, order) == (left, 0, 0)


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
    assert _state(engine, order) == (0, 2, 0)


def test_what_was_paid_back_before_earns_nothing(engine: Engine, order: Order) -> None:
    with session_scope(engine) as session:
        refund = _refund(session, order, "r", 10_000)
        assert service.earn_for_order(session, order) == 2
        assert service.reverse_for_refund(session, refund) == 0
    assert _state(engine, order) == (0, 2, 0)


def test_a_refund_without_order(engine: Engine) -> None:
    with session_scope(engine) as session:
        refund = Refund(source="file", reference="C1", amount_minor=500, currency="NOK", at=NOW)
        session.add(refund)
        assert service.reverse_for_refund(session, refund) == 0


def test_spent_points_that_are_taken_back_are_owed(engine: Engine, order: Order) -> None:
    assert order.customer_id is not None
    with session_scope(engine) as session:
        service.earn_for_order(session, order, NOW)
    _mature(engine)
    with session_scope(engine) as session:
        service.burn(session, order.customer_id, 10, key="b", reason="gift", at=NOW)
        assert service.reverse_for_refund(session, _refund(session, order, "r", 12_345)) == 12
    assert _state(engine, order) == (0, 0, 10)
    with session_scope(engine) as session:
        service.earn(session, order.customer_id, 7, key="e1", reason="birthday", at=NOW)
    assert _state(engine, order) == (0, 0, 3)
    with session_scope(engine) as session:
        service.earn(session, order.customer_id, 7, key="e2", reason="birthday", matures_at=NOW + DAY, at=NOW)
    assert _state(engine, order) == (0, 7, 3)
    _mature(engine)
    assert _state(engine, order) == (4, 0, 0)


def test_points_paid_with_come_back_in_the_refunded_share(engine: Engine, order: Order) -> None:
    customer_id = order.customer_id
    assert customer_id is not None
    with session_scope(engine) as session:
        service.earn(session, customer_id, 100, key="e", reason="gift", at=NOW)
        service.burn(session, customer_id, 30, key="b", reason="order", order_id=order.id, at=NOW)
        service.hold(session, customer_id, 41, key="h", until=NOW + DAY, at=NOW)
        service.capture(session, "h", key="c", order_id=order.id, at=NOW)
    with clock.freeze(NOW):
        # 71 points were paid with: a third of the order brings 23.66 of them, rounded down.
        for reference, amount, available in (("a", 4_115, 29 + 23), ("b", 1, 29 + 23), ("c", 8_229, 100)):
            with session_scope(engine) as session:
                service.reverse_for_refund(session, _refund(session, order, reference, amount))
            assert _state(engine, order) == (available, 0, 0)


def test_points_of_a_refund_told_late_have_their_grace(engine: Engine, order: Order) -> None:
    """They ended between the refund and the day we hear of it; without grace they would be gone at once."""
    customer_id = order.customer_id
    assert customer_id is not None
    with session_scope(engine) as session:
        service.earn(session, customer_id, 30, key="e", reason="gift", at=NOW - DAY, expires_at=NOW + 2 * DAY)
        service.burn(session, customer_id, 30, key="b", reason="order", order_id=order.id, at=NOW - DAY)
    told = NOW + 5 * DAY
    with clock.freeze(told), session_scope(engine) as session:
        service.reverse_for_refund(session, _refund(session, order, "r", order.total_minor))
    with session_scope(engine) as session:
        assert tasks.check(session) == []
        assert service.statement(session, customer_id, told).next_expiry == (30, told + 30 * DAY)
        assert tasks.run(session, told)["expired_points"] == 0


def test_a_cancelled_order_leaves_nothing(engine: Engine, order: Order) -> None:
    customer_id = order.customer_id
    assert customer_id is not None
    with session_scope(engine) as session:
        service.earn(session, customer_id, 50, key="e", reason="gift", at=NOW)
        service.burn(session, customer_id, 20, key="b", reason="order", order_id=order.id, at=NOW)
        service.earn_for_order(session, order, NOW)
    assert _state(engine, order) == (30, 12, 0)
    for taken in (12, 0):
        with session_scope(engine) as session:
            assert service.cancel_order(session, order) == taken
        assert _state(engine, order) == (50, 0, 0)
    with session_scope(engine) as session:
        assert service.reverse_for_refund(session, _refund(session, order, "r", 12_345)) == 0
    assert _state(engine, order) == (50, 0, 0)


def test_a_refund_is_reckoned_by_the_rate_of_then(
    engine: Engine, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(engine) as session:
        service.earn_for_order(session, order, NOW)
    facts = service.get_facts()
    generous = facts.model_copy(update={"club": facts.club.model_copy(update={"points": 5})})
    monkeypatch.setattr("rapport.loyalty.points.orders.get_facts", lambda: generous)
    with session_scope(engine) as session:
        assert service.reverse_for_refund(session, _refund(session, order, "r", 2_000)) == 2
    assert _state(engine, order) == (0, 10, 0)
