"""Discounts: the best one, the same code again, and never more than allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers import audit, service
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.points import service as ledger
from rapport.shop.models import Order, Refund
from tests.loyalty.offers import shop
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


def test_a_hundred_asks_at_once_get_one_code(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10, cap=100, budget_minor=9_000, max_discount_minor=3_000)
    [customer] = _customers(engine, 1)

    def ask() -> service.Discount | None:
        with session_scope(engine) as session:
            return service.offer_discount(session, customer)

    discounts = [discount for discount in at_once(100, ask) if discount]
    assert len(discounts) == 100
    assert len({discount.code for discount in discounts}) == 1
    assert _used(engine) == {"welcome": 1}
    with session_scope(engine) as session:
        assert audit.find(session) == []


def test_a_budget_holds_over_many_customers(engine: Engine) -> None:
    _add_offer(engine, "dear", 0, kind="amount", amount_minor=1_000, budget_minor=5_500)
    waiting = _customers(engine, 20)

    def ask() -> service.Discount | None:
        customer = waiting.pop()
        with session_scope(engine) as session:
            return service.offer_discount(session, customer)

    assert len([discount for discount in at_once(20, ask) if discount]) == 5
    with session_scope(engine) as session:
        assert session.scalars(select(Offer.spent_minor)).one() == 5_000
        assert audit.find(session) == []


def test_who_may_ask_depends_on_stage_segment_level_and_interest(engine: Engine) -> None:
    with clock.freeze(NOW), session_scope(engine) as session:
        shop.product(session, "TENT-1", 500_000, None, category="tents")
        plain = shop.customer(session, stage="know")
        buyer = shop.customer(session)
        at_risk = shop.customer(session)
        shop.valued(session, at_risk, "at_risk", (1, 3, 3))
        camper = shop.customer(session, likes=["TENT-1"])
        top = shop.customer(session)
        ledger.earn(session, top, 2_000, key="t", reason="test", at=NOW)
        shop.offer(session, "know", percent=5, stages=["know"])
        shop.offer(session, "trust", percent=6, stages=["trust"])
        shop.offer(session, "risk", percent=20, segments=["at_risk"])
        shop.offer(session, "tents", percent=12, interests=["tents"])
        shop.offer(session, "summit", percent=30, tiers=["summit"])
        keys = {
            name: getattr(service.entitled_offer(session, customer_id), "key", None)
            for name, customer_id in (
                ("plain", plain),
                ("buyer", buyer),
                ("at_risk", at_risk),
                ("camper", camper),
            )
        }
        assert keys == {"plain": "know", "buyer": "trust", "at_risk": "risk", "camper": "tents"}
        tier = ledger.tier(session, top, NOW).key
        assert getattr(service.entitled_offer(session, top), "key", None) == (
            "summit" if tier == "summit" else "trust"
        )


def test_a_complaint_keeps_nobody_from_what_they_ask_for(engine: Engine) -> None:
    _add_offer(engine, "welcome", 10)
    with session_scope(engine) as session:
        customer_id = shop.customer(session)
        shop.complaint(session, customer_id)
        assert service.offer_discount(session, customer_id) is not None


def test_presents_and_what_points_bought_are_told_of_last(engine: Engine) -> None:
    with clock.freeze(NOW), session_scope(engine) as session:
        shop.product(session, "MUG", 20_000, 8_000)
        customer_id = shop.customer(session)
        shop.offer(session, "mug", gift_sku="MUG")
        mug = service.offer_discount(session, customer_id, "m1")
        assert mug is not None
        assert (mug.kind, mug.gift_sku, mug.percent) == ("gift", "MUG", 0)
        shop.offer(session, "welcome", percent=10)
        discount = service.offer_discount(session, customer_id, "m2")
        assert discount is not None
        assert (discount.kind, discount.again) == ("percent", False)
        assert service.offer_discount(session, customer_id, "m1") == mug
        assert [code.kind for code in service.coupons(session, customer_id)] == ["percent", "gift"]


def test_orders_nobody_paid_bring_no_discount(engine: Engine) -> None:
    """Six orders placed and never paid made whoever placed them a loyal customer."""
    _add_offer(engine, "welcome", 10, min_orders=1)
    _add_offer(engine, "loyal", 15, min_orders=5)
    _add_offer(engine, "newcomer", 5, max_orders=0)
    [customer] = _customers(engine, 1)
    with session_scope(engine) as session:
        orders = _add_orders(session, customer, 1, 6)
        for order in orders:
            order.status = "placed"
        session.flush()
        # They are no newcomer either.
        assert service.entitled_offer(session, customer) is None
        orders[0].status = "paid"
        session.flush()
        assert service.entitled_offer(session, customer).percent == 10  # type: ignore[union-attr]
        for order, status in zip(
            orders[1:], ("paid", "shipped", "delivered", "paid", "cancelled"), strict=True
        ):
            order.status = status
        session.flush()
        assert service.entitled_offer(session, customer).percent == 15  # type: ignore[union-attr]


@pytest.mark.parametrize("shops_mistake", [False, True])
def test_a_revoked_code_is_followed_by_another_only_after_a_mistake(
    engine: Engine, shops_mistake: bool
) -> None:
    _add_offer(engine, "welcome", 10)
    [customer] = _customers(engine, 1)
    with session_scope(engine) as session:
        given = service.offer_discount(session, customer)
        assert given is not None
        service.revoke(session, given.code, key="r", reason="abuse", shops_mistake=shops_mistake)
    with session_scope(engine) as session:
        again = service.offer_discount(session, customer)
        assert (again is not None) is shops_mistake


def _newcomers(engine: Engine, *addresses: str) -> list[int]:
    """Customers nobody knows more of than an address, and an offer for the new."""
    _add_offer(engine, "newcomer", 5, max_orders=0)
    with session_scope(engine) as session:
        return [shop.customer(session, stage="know", email=address) for address in addresses]


def test_another_address_of_a_mailbox_makes_nobody_new(engine: Engine) -> None:
    ann, again, dotted, other = _newcomers(
        engine, "annb@example.com", "annb+1@example.com", "ann.b@example.com", "anna@example.com"
    )
    _add_offer(engine, "welcome", 10, min_orders=1)
    with session_scope(engine) as session:
        given = service.offer_discount(session, ann)
        assert given is not None
        assert service.offer_discount(session, again) is None
        assert service.offer_discount(session, dotted) is None
        assert service.offer_discount(session, other) is not None
        assert service.offer_discount(session, ann).code == given.code  # type: ignore[union-attr]
        # What is not for newcomers is everybody's own.
        _add_orders(session, again, 1, 1)
        assert service.offer_discount(session, again).percent == 10  # type: ignore[union-attr]


def test_who_ordered_from_the_same_mailbox_is_not_new(engine: Engine) -> None:
    ann, again = _newcomers(engine, "ann@example.com", "ann+1@example.com")
    with session_scope(engine) as session:
        [order] = _add_orders(session, ann, 1, 1)
        assert service.offer_discount(session, again) is None
        order.status = "cancelled"
        session.flush()
        assert service.offer_discount(session, again) is not None


def test_many_addresses_of_a_mailbox_at_once_get_one_code(engine: Engine) -> None:
    waiting = _newcomers(engine, *(f"ann+{number}@example.com" for number in range(12)))

    def ask() -> service.Discount | None:
        customer = waiting.pop()
        with session_scope(engine) as session:
            return service.offer_discount(session, customer)

    assert len([discount for discount in at_once(12, ask) if discount]) == 1
    assert _used(engine) == {"newcomer": 1}
