"""Discounts: the best one, the same code again, and never more than allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers import service
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.shop.models import Order, Refund
from tests.loyalty.threads import at_once

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


def _customers(engine: Engine, count: int) -> list[int]:
    with session_scope(engine) as session:
        customers = [Customer() for _ in range(count)]
        session.add_all(customers)
        session.flush()
        return [customer.id for customer in customers]


def _add_offer(engine: Engine, key: str, percent: int, **values: object) -> int:
    with session_scope(engine) as session:
        offer = Offer(key=key, percent=percent, **values)
        session.add(offer)
        session.flush()
        return offer.id


def _add_orders(session: Session, customer_id: int, first: int, count: int) -> list[Order]:
    orders = [
        Order(
            source="shop",
            number=str(number),
            customer_id=customer_id,
            status="delivered",
            currency="NOK",
            total_minor=1000,
            placed_at=NOW,
        )
        for number in range(first, first + count)
    ]
    session.add_all(orders)
    session.flush()
    return orders


def _used(engine: Engine) -> dict[str, int]:
    with session_scope(engine) as session:
        return {row.key: row.used for row in session.execute(select(Offer.key, Offer.used))}


def test_forty_threads_get_one_code(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10, cap=100)
    _add_offer(engine, "other", 5)
    [customer] = _customers(engine, 1)

    def ask() -> service.Discount | None:
        with session_scope(engine) as session:
            return service.offer_discount(session, customer)

    discounts = [discount for discount in at_once(40, ask) if discount]
    assert len(discounts) == 40
    assert len({discount.code for discount in discounts}) == 1
    assert [discount.again for discount in discounts].count(False) == 1
    assert _used(engine) == {"welcome": 1, "other": 0}
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Coupon)) == 1


def test_a_cap_holds_over_many_customers(engine: Engine) -> None:
    _add_offer(engine, "few", 20, cap=7)
    _add_offer(engine, "fewer", 10, cap=3)
    waiting = _customers(engine, 40)

    def ask() -> service.Discount | None:
        customer = waiting.pop()
        with session_scope(engine) as session:
            return service.offer_discount(session, customer)

    given = [discount.percent for discount in at_once(40, ask) if discount]
    assert sorted(given) == [10] * 3 + [20] * 7
    assert _used(engine) == {"few": 7, "fewer": 3}
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Coupon)) == 10


def test_the_best_offer_for_the_orders_kept(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10, min_orders=1)
    _add_offer(engine, "loyal", 15, min_orders=3)
    new, second, third = _customers(engine, 3)
    with session_scope(engine) as session:
        assert service.offer_discount(session, new) is None
        assert service.entitled_offer(session, new) is None
        _add_orders(session, second, 1, 2)
        orders = _add_orders(session, third, 10, 4)
        orders[0].status = "cancelled"
        assert service.entitled_offer(session, third).percent == 15  # type: ignore[union-attr]
        session.add(
            Refund(
                order_id=orders[1].id,
                source="shop",
                reference="r",
                amount_minor=1000,
                currency="NOK",
                at=NOW,
            )
        )
        session.flush()
        assert service.entitled_offer(session, third).percent == 10  # type: ignore[union-attr]
        discount = service.offer_discount(session, second)
        assert discount is not None
        assert discount.percent == 10
    assert _used(engine) == {"welcome": 1, "loyal": 0}


def test_the_same_message_gets_the_same_answer(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10, minimum_minor=50_000)
    [customer] = _customers(engine, 1)
    answers = []
    for key in ("c1:m1", "c1:m1", "c1:m2"):
        with session_scope(engine) as session:
            answers.append(service.offer_discount(session, customer, key))
    assert answers[0] is not None
    assert answers[0] == answers[1]
    assert (answers[0].again, answers[0].minimum_minor) == (False, 50_000)
    assert answers[2] is not None
    assert (answers[2].code, answers[2].again) == (answers[0].code, True)


def test_an_expired_code_may_be_followed_by_a_new_one(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10, valid_days=30)
    [customer] = _customers(engine, 1)
    codes = []
    for days in (0, 29, 30, 31):
        with clock.freeze(NOW + timedelta(days=days)), session_scope(engine) as session:
            discount = service.offer_discount(session, customer)
            assert discount is not None
            codes.append(discount.code)
    assert codes[0] == codes[1] != codes[2] == codes[3]
    with session_scope(engine) as session:
        assert session.scalars(select(Coupon.sequence).order_by(Coupon.id)).all() == [1, 2]


def test_a_redeemed_offer_is_not_made_again(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10)
    [customer] = _customers(engine, 1)
    with session_scope(engine) as session:
        given = service.offer_discount(session, customer)
        assert given is not None
        service.redeem(session, given.code, key="order 1", order_minor=1000, currency="NOK")
    with session_scope(engine) as session:
        assert service.offer_discount(session, customer) is None
    _add_offer(engine, "next", 5)
    with session_scope(engine) as session:
        discount = service.offer_discount(session, customer)
        assert discount is not None
        assert discount.percent == 5


def test_a_live_code_stays_when_a_better_offer_appears(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10)
    [customer] = _customers(engine, 1)
    with session_scope(engine) as session:
        first = service.offer_discount(session, customer)
    _add_offer(engine, "better", 25)
    with session_scope(engine) as session:
        second = service.offer_discount(session, customer)
    assert first is not None
    assert second is not None
    assert (second.code, second.percent, second.again) == (first.code, 10, True)


@pytest.mark.parametrize("customer_id", [0, 999])
def test_nobody_gets_nothing(engine: Engine, customer_id: int) -> None:
    _add_offer(engine, "welcome", 10)
    with session_scope(engine) as session:
        assert service.offer_discount(session, customer_id) is None
    assert _used(engine) == {"welcome": 0}
