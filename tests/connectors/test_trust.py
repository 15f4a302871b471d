"""Nobody gets at somebody else's customer, points or codes by an order; nothing is used twice or lost."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.connectors import effects
from rapport.connectors.order_events import Applied, apply
from rapport.customers.models import Customer, ExternalRef, Identity
from rapport.customers.service import find_by_identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError
from rapport.loyalty.offers import audit
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Coupon, CouponEvent
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals.models import Referral
from rapport.shop import repository as shop_repository
from tests.connectors.happenings import (
    ANN,
    PLACED_AT,
    TOTAL,
    ann,
    coupon_of,
    details,
    event,
    refund,
    sound,
    the_order,
)
from tests.loyalty.threads import at_once

MALLORY = {"id": "c-7", "email": ANN["email"], "name": "Mallory", "language": "ro", "phone": "+4791234567"}


def order(session: Session, number: str, hours: float = 0, **changes: Any) -> Applied:
    """An order of that number."""
    return apply(session, event("placed", hours, number=number, order=details(**changes)))


def uses(applied: Applied) -> list[str]:
    return [use.outcome for use in applied.coupons]


def state(session: Session) -> str:
    session.flush()
    session.expire_all()
    return session.scalars(select(Coupon.state)).one()


def wealthy_ann(session: Session) -> int:
    customer = ann(session)
    ledger.earn(session, customer, 500, key="gift", reason="gift")
    return customer


def test_a_typed_address_makes_nobody_somebody_else(session: Session) -> None:
    owner = wealthy_ann(session)
    told = order(session, "M-1", customer=MALLORY)
    assert told.customer_id != owner
    references = session.execute(select(ExternalRef.value, ExternalRef.customer_id)).all()
    assert [tuple(row) for row in references] == [(ANN["id"], owner), ("c-7", told.customer_id)]
    again = order(session, "M-2", customer=MALLORY | {"email": "mallory@customer.example"})
    assert again.customer_id == told.customer_id
    found = find_by_identity(session, "email", "mallory@customer.example")
    assert found is not None
    assert found.id == told.customer_id
    with pytest.raises(ConflictError, match=r"order\.points"), session.begin_nested():
        order(session, "M-3", customer=MALLORY, points={"points": 500})
    assert ledger.balance(session, owner) == 500


def test_a_guests_order_only_stands_in_the_list(session: Session) -> None:
    owner = wealthy_ann(session)
    before = session.get_one(Customer, owner)
    guest = {key: value for key, value in MALLORY.items() if key != "id"}
    told = order(session, "G-1", customer=guest)
    assert told.customer_id == owner
    session.refresh(before)
    assert (before.name, before.language) == (None, None)
    assert session.scalars(select(Identity.value)).all() == [ANN["email"]]
    with pytest.raises(ConflictError, match=r"order\.points"), session.begin_nested():
        order(session, "G-2", customer=guest, points={"points": 500})
    assert ledger.balance(session, owner) == 500


def test_an_order_told_of_for_one_cannot_be_paid_by_another(session: Session) -> None:
    wealthy_ann(session)
    order(session, "G-1", customer={"email": "guest@customer.example"})
    with pytest.raises(ConflictError, match=r"order\.points"):
        apply(session, event("placed", 1, event_id="e", number="G-1", order=details(points={"points": 9})))


def test_a_hold_of_the_shops_is_captured_whoever_the_order_is_of(session: Session) -> None:
    owner = wealthy_ann(session)
    ledger.hold(session, owner, 200, key="h-1", until=clock.now() + timedelta(hours=1))
    order(session, "N-1", customer=None, points={"hold": "h-1"})
    found = ledger.statement(session, owner)
    assert (found.available, found.held) == (300, 0)
    with pytest.raises(ConflictError, match=r"order\.points"):
        order(session, "N-2", customer=None, points={"points": 10})


def test_points_captured_before_belong_to_the_order_that_names_the_hold(session: Session) -> None:
    owner = wealthy_ann(session)
    ledger.hold(session, owner, 200, key="h-1", until=clock.now() + timedelta(hours=1))
    ledger.capture(session, "h-1", key="api-1")
    for hours in (0, 1):
        told = event("placed", hours, event_id=f"e{hours}", order=details(points={"hold": "h-1"}))
        apply(session, told)
    assert ledger.balance(session, owner) == 300
    with pytest.raises(ConflictError, match=r"order\.points"), session.begin_nested():
        order(session, "N-2", points={"hold": "h-1"})
    apply(session, refund(TOTAL))
    assert ledger.balance(session, owner) == 500
    assert sound(session)


@pytest.mark.parametrize("typed", ["{plain}", "{lower}", " {plain} "])
def test_a_code_is_used_once_however_it_is_typed(session: Session, typed: str) -> None:
    code = coupon_of(session, ann(session))
    typed = typed.format(plain=code.replace("-", ""), lower=code.replace("-", " ").lower())
    assert uses(order(session, "N-1", coupons=[typed])) == ["redeemed"]
    assert uses(order(session, "N-2", coupons=[typed])) == ["used"]


@pytest.mark.parametrize("customer", [MALLORY, {"email": ANN["email"]}, None], ids=["other", "guest", "none"])
def test_a_discount_that_was_given_uses_the_code_up(session: Session, customer: Any) -> None:
    coupon_of(session, ann(session))
    code = session.scalars(select(Coupon.code)).one()
    assert uses(order(session, "N-1", customer=customer, coupons=[code])) == ["not_yours"]
    coupon = session.scalars(select(Coupon)).one()
    assert (coupon.state, coupon.discount_minor) == ("redeemed", TOTAL // 10)
    noted = session.scalars(select(CouponEvent.reason).where(CouponEvent.kind == "redeemed")).all()
    assert noted == ["not_yours"]
    assert uses(order(session, "N-2", coupons=[code])) == ["used"]
    assert audit.find(session) == []
    # And it comes back with that order.
    assert uses(apply(session, event("cancelled", 1, number="N-1"))) == ["rolled_back"]
    assert state(session) == "issued"


def test_a_code_held_for_the_basket_needs_no_name(session: Session) -> None:
    code = coupon_of(session, ann(session))
    offers.hold(
        session,
        code,
        key="h",
        holder=effects.basket("b-1"),
        order_minor=TOTAL,
        currency="NOK",
        customer_id=ann(session),
        at=PLACED_AT,
    )
    assert uses(order(session, "N-1", customer=None, basket="b-1", coupons=[code])) == ["redeemed"]


def test_a_code_held_for_another_basket_is_used_up_all_the_same(session: Session) -> None:
    code = coupon_of(session, ann(session))
    given = {"order_minor": TOTAL, "currency": "NOK", "customer_id": ann(session), "at": PLACED_AT}
    offers.hold(session, code, key="h", holder=effects.basket("b-1"), **given)
    assert uses(order(session, "N-1", coupons=[code])) == ["held"]
    assert state(session) == "redeemed"


def test_a_code_whose_use_was_undone_is_used_again(session: Session) -> None:
    code = coupon_of(session, ann(session))
    for n in range(3):
        told = event("placed", n, event_id=f"e{n}", order=details(coupons=[code]))
        assert uses(apply(session, told)) == ["redeemed"]
        assert state(session) == "redeemed"
        offers.rollback(session, code, key=f"api-{n}", reason="mistake")
        assert state(session) == "issued"
    assert audit.find(session) == []


@pytest.mark.parametrize(("days", "outcome"), [(1, "redeemed"), (30, "used")])
def test_a_code_used_before_belongs_to_an_order_of_the_same_checkout(
    session: Session, days: int, outcome: str
) -> None:
    code = coupon_of(session, ann(session))
    offers.redeem(
        session,
        code,
        key="api",
        order_minor=TOTAL,
        currency="NOK",
        customer_id=ann(session),
        at=PLACED_AT,
    )
    assert uses(order(session, "N-1", 24 * days, coupons=[code])) == [outcome]


def test_a_refund_that_waited_is_applied_as_soon_as_it_can_be(session: Session) -> None:
    said = {"reference": "r-1", "amount_minor": 1_000, "currency": "EUR"}
    wrong = event("refunded", 9, refund=said)
    assert apply(session, wrong).status == "waiting"
    assert apply(session, event("placed")).status == "applied"
    # Told again, it is tried again; the shop hears what is wrong with it.
    with pytest.raises(ConflictError, match=r"refund\.currency"), session.begin_nested():
        apply(session, wrong)
    the_order(session).currency = "EUR"
    paid = apply(session, event("paid", 1))
    assert paid.notes == ()
    assert [r.amount_minor for r in the_order(session).refunds] == [1_000]
    assert apply(session, wrong).status == "repeated"


def test_a_refund_that_waited_does_not_end_an_order_whose_newer_sum_is_on_its_way(session: Session) -> None:
    apply(session, refund(TOTAL))
    old = apply(session, event("placed", order=details(total_minor=100_000)))
    assert (old.order_status, [note.split(":")[1].strip() for note in old.notes]) == (
        "placed",
        ["r-1"],
    )
    told = apply(session, event("placed", 1, event_id="edited", order=details(total_minor=TOTAL + 1)))
    assert (told.order_status, told.notes) == ("placed", ())
    assert [r.amount_minor for r in the_order(session).refunds] == [TOTAL]


def test_an_event_that_waits_under_a_reference_counts_once_that_is_known(session: Session) -> None:
    said = {"reference": "r-1", "amount_minor": 1_000}
    apply(session, event("placed"))
    early = event("refunded", 9, event_id="r", number=None, reference="77", refund=said)
    assert apply(session, early).status == "waiting"
    apply(session, event("paid", 1, reference="77"))
    assert shop_repository.refunded_minor(session, the_order(session).id) == 1_000


def test_older_details_take_nothing(session: Session) -> None:
    owner = wealthy_ann(session)
    friend = Customer()
    session.add(friend)
    session.flush()
    code = coupon_of(session, owner)
    apply(session, event("placed", 5))
    old = details(coupons=[code], points={"points": 100}, referral="FJ-ABCDEF")
    applied = apply(session, event("placed", 1, event_id="late", order=old))
    assert (applied.coupons, applied.notes) == ((), ())
    assert (state(session), ledger.balance(session, owner)) == ("issued", 500)
    assert session.scalars(select(Referral)).all() == []


def test_an_event_from_the_future_does_not_freeze_the_order(session: Session) -> None:
    with clock.freeze(PLACED_AT):
        apply(session, event("placed", 24 * 365 * 70))
    with clock.freeze(PLACED_AT + timedelta(hours=2)):
        edited = event("placed", 1, event_id="edited", order=details(total_minor=1_000))
        apply(session, edited)
    assert the_order(session).total_minor == 1_000


def test_a_number_and_a_reference_of_two_orders_are_a_conflict(session: Session) -> None:
    apply(session, event("placed", reference="77"))
    with pytest.raises(ConflictError, match="reference"), session.begin_nested():
        apply(session, event("placed", 1, number="N-2", reference="77", order=details(total_minor=1)))
    apply(session, event("placed", number="N-2"))
    with pytest.raises(ConflictError, match="reference"), session.begin_nested():
        apply(session, event("paid", 1, number="N-2", reference="77"))
    assert the_order(session).total_minor == TOTAL


def test_two_orders_with_each_others_codes_do_not_wait_for_each_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [{"id": "a"}, {"id": "b"}]
    codes = []
    with session_scope(engine) as session:
        for place, person in enumerate(people):
            told = order(session, f"F-{place}", -1000, customer=person)
            assert told.customer_id is not None
            codes.append(coupon_of(session, told.customer_id))
    together = Barrier(2, timeout=0.5)
    use_codes = effects._use_codes

    def slowly(*given: Any) -> None:
        with suppress(BrokenBarrierError):
            together.wait()
        use_codes(*given)

    monkeypatch.setattr(effects, "_use_codes", slowly)
    left = iter([(people[0], codes[1], "X-0"), (people[1], codes[0], "X-1")])

    def tell() -> list[str]:
        person, code, number = next(left)
        with session_scope(engine) as session:
            return uses(order(session, number, customer=person, coupons=[code]))

    assert at_once(2, tell) == [["not_yours"], ["not_yours"]]
