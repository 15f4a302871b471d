"""Events of orders: each counts once, whatever comes late, twice or the wrong way round."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import permutations

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.connectors import rules
from rapport.connectors.models import OrderEventRecord
from rapport.connectors.order_events import Applied, OrderEvent, apply
from rapport.customers.models import Customer, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import service as referrals
from rapport.loyalty.referrals.models import Referral
from rapport.shop.models import Order, OrderItem, Product, Refund
from rapport.value import service as value
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

# One point for each full 10 kr, as in shop.yml.
POINTS = TOTAL // 1000


def pending(session: Session, customer_id: int) -> int:
    return ledger.statement(session, customer_id).pending


def test_a_placed_order_makes_customer_order_and_items(session: Session) -> None:
    session.add(Product(sku="FJ-TENT-2", price_minor=120_000, currency="NOK"))
    applied = apply(session, event("placed"))
    order = the_order(session)
    assert (applied.status, applied.order_id, applied.number) == ("applied", order.id, "FJ-20017")
    assert (order.source, order.status, order.currency, order.total_minor) == ("shop", "placed", "NOK", TOTAL)
    assert order.placed_at == PLACED_AT
    assert [(item.line, item.sku, item.quantity, item.product_id is not None) for item in order.items] == [
        (1, "FJ-TENT-2", 1, True),
        (2, "FJ-BOTTLE", 2, False),
    ]
    customer = session.get_one(Customer, order.customer_id)
    assert (customer.name, customer.country) == ("Ann Berg", "NO")
    assert customer.id == applied.customer_id == ann(session)


def test_points_are_earned_when_the_order_is_paid_and_wait_for_the_return_period(session: Session) -> None:
    assert apply(session, event("placed")).points == 0
    assert apply(session, event("paid", 1)).points == POINTS
    customer = ann(session)
    assert (ledger.balance(session, customer), pending(session, customer)) == (0, POINTS)
    apply(session, event("delivered", 72))
    _, matures = ledger.statement(session, customer).next_pending or (0, None)
    assert matures is not None
    assert matures >= PLACED_AT + timedelta(hours=72, days=30)
    assert sound(session)


def test_an_imported_order_goes_on_with_events_and_earns_nothing_by_them(session: Session) -> None:
    order = Order(
        source="shop",
        number="FJ-20017",
        customer_id=ann(session),
        status="delivered",
        currency="NOK",
        total_minor=TOTAL,
        placed_at=PLACED_AT,
    )
    session.add(order)
    session.flush()
    applied = apply(session, refund(50_000))
    assert (applied.status, applied.order_id, applied.points) == ("applied", order.id, 0)
    assert apply(session, event("paid", 1)).points == 0
    assert pending(session, ann(session)) == 0


def test_stage_and_value_follow(session: Session) -> None:
    apply(session, event("placed"))
    customer = ann(session)
    standing = value.standing(session, customer)
    assert standing is None or standing.orders == 0, "only what was paid counts"
    apply(session, event("paid", 0.5))
    session.expire_all()
    standing = value.standing(session, customer)
    assert standing is not None
    assert (standing.stage, standing.orders, standing.revenue_minor) == ("trust", 1, TOTAL)
    apply(session, event("cancelled", 1))
    session.expire_all()
    standing = value.standing(session, customer)
    assert standing is not None
    assert (standing.stage, standing.orders) == ("interest", 0)


@pytest.mark.parametrize("kind", ["placed", "paid", "delivered", "refunded", "cancelled"])
def test_the_same_event_again_changes_nothing(session: Session, kind: str) -> None:
    apply(session, event("placed"))
    if kind != "placed":
        apply(session, event("paid", 1))
    again = refund(50_000) if kind == "refunded" else event(kind, 2, event_id="again")
    first = apply(session, again)
    before = state(session)
    second = apply(session, again)
    assert (second.status, second.order_id, second.order_status) == (
        "repeated",
        first.order_id,
        first.order_status,
    )
    assert state(session) == before
    assert sound(session)


def test_another_event_under_the_same_id_is_a_conflict(session: Session) -> None:
    apply(session, event("placed"))
    with pytest.raises(ConflictError, match="event_id"):
        apply(session, event("placed", order=details(total_minor=1)))
    # Another system of the shop may use the same ids.
    assert apply(session, event("placed", source="till")).status == "applied"


def state(session: Session) -> tuple[object, ...]:
    """Everything an event may change."""
    order = the_order(session)
    customer = order.customer_id
    assert customer is not None
    found = ledger.statement(session, customer)
    return (
        order.status,
        order.total_minor,
        order.shipped_at,
        order.delivered_at,
        [(item.sku, item.quantity) for item in order.items],
        sorted((r.reference, r.amount_minor) for r in order.refunds),
        (found.available, found.pending, found.held, found.debt),
        session.scalar(select(func.count()).select_from(Customer)),
        session.scalars(select(Coupon.state).order_by(Coupon.id)).all(),
    )


STORY = ("placed", "paid", "shipped", "delivered", "refunded")


@pytest.mark.parametrize("order", [pytest.param(o, id="-".join(o)) for o in permutations(STORY)][::15])
def test_whatever_the_order_of_arrival_the_end_is_the_same(session: Session, order: tuple[str, ...]) -> None:
    story = {kind: event(kind, 24 * place) for place, kind in enumerate(STORY) if kind != "refunded"}
    story["refunded"] = refund(60_000)
    for kind in order:
        apply(session, story[kind])
    assert the_order(session).status == "delivered"
    assert the_order(session).delivered_at == PLACED_AT + timedelta(hours=72)
    assert [r.amount_minor for r in the_order(session).refunds] == [60_000]
    assert pending(session, ann(session)) == (TOTAL - 60_000) // 1000
    assert session.scalar(select(func.count()).where(OrderEventRecord.waiting)) == 0
    assert sound(session)


def test_what_comes_before_the_order_waits_for_it_and_keeps_nothing_afterwards(session: Session) -> None:
    early = apply(session, event("delivered", 72))
    assert early == Applied("waiting", number="FJ-20017")
    assert session.scalar(select(func.count()).select_from(Order)) == 0
    assert session.scalars(select(OrderEventRecord.payload)).one() is not None
    again = apply(session, event("delivered", 72))
    assert again.status == "repeated"
    applied = apply(session, event("placed"))
    assert (applied.order_status, applied.points) == ("delivered", POINTS)
    assert session.scalars(select(OrderEventRecord.payload)).all() == [None, None]


def test_a_waiting_event_that_is_wrong_does_not_keep_the_order_out(session: Session) -> None:
    said = {"reference": "r-1", "amount_minor": 1_000, "currency": "EUR"}
    apply(session, event("refunded", 9, refund=said))
    apply(session, event("paid", 1))
    applied = apply(session, event("placed"))
    assert applied.order_status == "paid"
    assert any("refund.currency" in note for note in applied.notes)
    assert the_order(session).refunds == []
    assert session.scalar(select(func.count()).where(OrderEventRecord.waiting)) == 1


def test_an_event_that_describes_the_order_may_be_the_first(session: Session) -> None:
    applied = apply(session, event("delivered", 72, order=details(placed_at=PLACED_AT)))
    assert (applied.status, applied.order_status, applied.points) == ("applied", "delivered", POINTS)
    assert the_order(session).placed_at == PLACED_AT
    late = apply(session, event("placed", order=details(total_minor=1)))
    assert late.order_status == "delivered"
    assert the_order(session).total_minor == TOTAL, "older details must not replace newer ones"


def test_newer_details_replace_older_ones(session: Session) -> None:
    apply(session, event("placed"))
    one_bottle = [{"sku": "FJ-BOTTLE", "quantity": 1, "unit_price_minor": 15_000}]
    apply(session, event("placed", 1, event_id="edited", order=details(total_minor=15_000, items=one_bottle)))
    order = the_order(session)
    assert (order.total_minor, [(i.line, i.sku, i.quantity) for i in order.items]) == (
        15_000,
        [(1, "FJ-BOTTLE", 1)],
    )
    assert session.scalar(select(func.count()).select_from(OrderItem)) == 1


def test_paid_again_and_an_old_event_move_nothing_back(session: Session) -> None:
    for kind, hours in (("placed", 0), ("paid", 1), ("delivered", 72)):
        apply(session, event(kind, hours))
    applied = apply(session, event("paid", 2, event_id="paid-again"))
    assert (applied.order_status, applied.points) == ("delivered", 0)
    applied = apply(session, event("shipped", 24, shipment={"carrier": "Posten", "tracking_number": "7"}))
    order = the_order(session)
    assert applied.order_status == order.status == "delivered"
    assert (order.carrier, order.shipped_at) == ("Posten", PLACED_AT + timedelta(hours=24))


def test_what_is_cancelled_stays_so_and_earns_nothing(session: Session) -> None:
    apply(session, event("placed"))
    apply(session, event("paid", 1))
    assert apply(session, event("cancelled", 2)).points == -POINTS
    assert apply(session, event("delivered", 72)).order_status == "cancelled"
    assert apply(session, event("cancelled", 3, event_id="twice")).points == 0
    assert pending(session, ann(session)) == 0
    assert sound(session)


def test_refunds_in_parts_take_their_share_once(session: Session) -> None:
    apply(session, event("placed"))
    apply(session, event("paid", 1))
    assert apply(session, refund(60_000, "r-1")).points == -60
    # The shop tells of the same refund in another event.
    assert apply(session, refund(60_000, "r-1", event_id="other")).points == 0
    with pytest.raises(ConflictError, match=r"refund\.reference"), session.begin_nested():
        apply(session, refund(50_000, "r-1", event_id="third"))
    last = apply(session, refund(TOTAL - 60_000, "r-3"))
    assert (last.order_status, last.points) == ("refunded", -(POINTS - 60))
    assert sum(r.amount_minor for r in session.scalars(select(Refund))) == TOTAL
    assert apply(session, event("delivered", 80)).order_status == "refunded"
    assert sound(session)


def test_more_than_what_is_left_counts_as_what_is_left(session: Session) -> None:
    apply(session, event("placed"))
    apply(session, event("paid", 1))
    # Lowered after payment; the shop gives back what was paid.
    apply(session, event("placed", 2, event_id="edited", order=details(total_minor=100_000)))
    applied = apply(session, refund(TOTAL, "r-1"))
    assert (applied.order_status, applied.points) == ("refunded", -POINTS)
    assert any("refund.amount_minor" in note for note in applied.notes)
    assert [r.amount_minor for r in the_order(session).refunds] == [100_000]
    # Told once more, and one more than there is.
    assert apply(session, refund(TOTAL, "r-1", event_id="other")).points == 0
    assert apply(session, refund(1, "r-2")).points == 0
    assert [r.amount_minor for r in the_order(session).refunds] == [100_000]
    assert sound(session)


def test_a_refund_of_a_cancelled_order_takes_nothing_twice(session: Session) -> None:
    apply(session, event("placed"))
    apply(session, event("paid", 1))
    apply(session, event("cancelled", 2))
    applied = apply(session, refund(TOTAL))
    assert (applied.order_status, applied.points) == ("cancelled", 0)
    assert sound(session)


def test_a_code_of_ours_is_redeemed_and_a_foreign_one_passed_over(session: Session) -> None:
    code = coupon_of(session, ann(session))
    applied = apply(session, event("placed", order=details(coupons=[f" {code.lower()} ", "SUMMER-SALE"])))
    assert [(use.code, use.outcome) for use in applied.coupons] == [(code, "redeemed")]
    coupon = session.scalars(select(Coupon)).one()
    assert (coupon.state, coupon.order_id, coupon.discount_minor) == (
        "redeemed",
        applied.order_id,
        TOTAL // 10,
    )
    again = apply(
        session, event("placed", 1, event_id="edited", order=details(coupons=[code], total_minor=1))
    )
    assert again.coupons == ()


@pytest.mark.parametrize("end", ["cancelled", "refunded"])
def test_a_code_comes_back_when_nothing_came_of_the_order(session: Session, end: str) -> None:
    code = coupon_of(session, ann(session))
    apply(session, event("placed", order=details(coupons=[code])))
    if end == "refunded":
        assert apply(session, refund(TOTAL - 1, "r-1")).coupons == ()
    final = refund(1, "r-2") if end == "refunded" else event("cancelled", 2)
    assert [(use.code, use.outcome) for use in apply(session, final).coupons] == [(code, "rolled_back")]
    assert session.scalars(select(Coupon.state)).one() == "issued"
    used = apply(session, event("placed", 5, number="FJ-2", order=details(coupons=[code])))
    assert [use.outcome for use in used.coupons] == ["redeemed"]


def test_a_code_that_is_not_good_does_not_keep_the_order_out(session: Session) -> None:
    other = Customer()
    session.add(other)
    session.flush()
    code = coupon_of(session, other.id)
    applied = apply(session, event("placed", order=details(coupons=[code])))
    assert [(use.code, use.outcome) for use in applied.coupons] == [(code, "not_yours")]
    assert the_order(session).status == "placed"


def test_a_friend_who_sent_the_customer_is_noted(session: Session) -> None:
    friend = Customer()
    session.add(friend)
    session.flush()
    code = referrals.code_of(session, friend.id)
    apply(session, event("placed", 200, order=details(referral=code, placed_at=PLACED_AT)))
    apply(session, event("paid", 201))
    referral = session.scalars(select(Referral)).one()
    assert (referral.referrer_id, referral.state) == (friend.id, "ordered")
    again = apply(session, event("placed", 300, number="FJ-2", order=details(referral=code)))
    assert any(note.startswith("order.referral") for note in again.notes)
    apply(session, event("cancelled", 202))
    session.expire_all()
    assert session.scalars(select(Referral.state)).one() == "void"


def test_points_paid_with_are_taken_and_come_back_in_the_refunded_share(session: Session) -> None:
    customer = ann(session)
    ledger.earn(session, customer, 500, key="gift", reason="gift")
    apply(session, event("placed", order=details(points={"points": 300})))
    assert ledger.balance(session, customer) == 200
    apply(session, refund(TOTAL // 2))
    assert ledger.balance(session, customer) == 350
    apply(session, event("cancelled", 200))
    assert ledger.balance(session, customer) == 500
    assert sound(session)


def test_points_on_hold_are_captured(session: Session) -> None:
    customer = ann(session)
    ledger.earn(session, customer, 500, key="gift", reason="gift")
    ledger.hold(session, customer, 200, key="h-1", until=clock.now() + timedelta(hours=1))
    for place, total in enumerate((TOTAL, TOTAL - 1)):
        order = details(points={"hold": "h-1"}, total_minor=total)
        apply(session, event("placed", place, event_id=f"e{place}", order=order))
    found = ledger.statement(session, customer)
    assert (found.available, found.held) == (300, 0)
    assert sound(session)


def test_points_that_are_not_there_keep_the_whole_event_out(engine: Engine) -> None:
    with pytest.raises(ConflictError, match=r"order\.points"), session_scope(engine) as session:
        apply(session, event("placed", order=details(points={"points": 300})))
    with session_scope(engine) as session:
        for table in (Order, OrderEventRecord, Customer):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_clock_that_is_ahead_counts_as_now(session: Session) -> None:
    now = PLACED_AT + timedelta(hours=1)
    with clock.freeze(now):
        apply(session, event("placed", 10_000))
    assert the_order(session).placed_at == now


def test_a_part_of_the_order_on_its_way_moves_nothing(session: Session) -> None:
    apply(session, event("placed"))
    applied = apply(session, event("delivered", 1, shipment={"units": 2, "carrier": "Posten"}))
    assert (applied.order_status, the_order(session).carrier) == ("placed", "Posten")
    applied = apply(session, event("delivered", 2, event_id="all", shipment={"units": 3}))
    assert applied.order_status == "delivered"


def test_the_shops_own_id_finds_the_order(session: Session) -> None:
    said = {"reference": "r-1", "amount_minor": 1_000}
    early = event("refunded", 9, event_id="r", number=None, reference="820982911946154508", refund=said)
    assert apply(session, early).status == "waiting"
    applied = apply(session, event("placed", reference="820982911946154508"))
    assert applied.order_id is not None
    assert len(the_order(session).refunds) == 1
    paid = apply(session, event("paid", 1, number=None, reference="820982911946154508"))
    assert paid.order_id == applied.order_id


def test_an_order_stays_with_its_customer(session: Session) -> None:
    apply(session, event("placed"))
    other = details(customer={"email": "bo@customer.example"})
    applied = apply(session, event("placed", 1, event_id="edited", order=other))
    assert applied.customer_id == ann(session)
    assert any(note.startswith("order.customer") for note in applied.notes)


def test_an_order_without_a_customer_is_taken_and_gets_one_later(session: Session) -> None:
    applied = apply(session, event("placed", order=details(customer=None)))
    assert applied.customer_id is None
    assert apply(session, event("paid", 1, order=details())).points == POINTS


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"order": details(currency="NKR")}, "order.currency"),
        ({"order": details(total_minor=-1)}, "order.total_minor"),
        ({"order": details(total_minor=12.5)}, "order.total_minor"),
        ({"order": details(items=[{"sku": "", "quantity": 1, "unit_price_minor": 1}])}, "order.items.0.sku"),
        (
            {"order": details(items=[{"sku": "A", "quantity": 0, "unit_price_minor": 1}])},
            "order.items.0.quantity",
        ),
        ({"order": details(customer={"email": "no address"})}, "order.customer.email"),
        ({"order": details(coupon="X")}, "order.coupon"),
        ({"order": None}, "order"),
        ({"at": "2026-05-04 09:30"}, "at"),
        ({"at": "2026-02-30T09:30:00Z"}, "at"),
        ({"number": "a\0b", "event_id": "1"}, "number"),
        ({"number": None, "event_id": "1"}, "number"),
    ],
)
def test_bad_data_is_refused_by_the_name_of_its_field(values: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        event("placed", **values)
    [error] = refused.value.errors()
    place = ".".join(str(part) for part in error["loc"])
    assert field in (place, error["msg"].removeprefix("Value error, ").split(":")[0])


def test_another_currency_is_refused(session: Session) -> None:
    apply(session, event("placed"))
    with pytest.raises(ConflictError, match=r"order\.currency"), session.begin_nested():
        apply(session, event("paid", 1, order=details(currency="EUR")))
    said = {"reference": "r", "amount_minor": 5, "currency": "EUR"}
    with pytest.raises(ConflictError, match=r"refund\.currency"), session.begin_nested():
        apply(session, event("refunded", 1, refund=said))


def test_the_same_event_in_eight_threads_counts_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        code = coupon_of(session, ann(session))
    placed = event("placed", order=details(coupons=[code]))

    def tell() -> Applied:
        with session_scope(engine) as session:
            return apply(session, placed)

    told = at_once(8, tell)
    assert sorted(one.status for one in told) == ["applied"] + ["repeated"] * 7
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 1
        assert session.scalar(select(func.count()).select_from(OrderItem)) == 2


def test_eight_first_orders_of_somebody_new_make_one_customer(engine: Engine) -> None:
    numbers = iter([f"FJ-{n}" for n in range(8)])

    def order() -> Applied:
        number = next(numbers)
        with session_scope(engine) as session:
            apply(session, event("paid", 1, number=number))
            return apply(session, event("placed", number=number))

    at_once(8, order)
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 1
        assert session.scalars(select(Identity.value)).all() == [ANN["email"]]
        assert pending(session, ann(session)) == 8 * POINTS
        assert sound(session)


def test_all_events_of_an_order_at_once_in_any_order_lose_nothing(engine: Engine) -> None:
    story: list[OrderEvent] = [
        event("placed"),
        event("paid", 1),
        event("shipped", 24),
        event("delivered", 48),
        refund(10_000, "r-1"),
        refund(20_000, "r-2"),
        event("placed", 2, event_id="edited"),
        event("paid", 3, event_id="paid-again"),
    ]
    random.Random(7).shuffle(story)
    left = iter(story)

    def tell() -> Applied:
        with session_scope(engine) as session:
            return apply(session, next(left))

    at_once(8, tell)
    with session_scope(engine) as session:
        order = the_order(session)
        assert (order.status, sum(r.amount_minor for r in order.refunds)) == ("delivered", 30_000)
        assert pending(session, ann(session)) == (TOTAL - 30_000) // 1000
        assert session.scalar(select(func.count()).where(OrderEventRecord.waiting)) == 0
        assert sound(session)


def test_an_order_only_moves_on() -> None:
    for status in (*rules.PROGRESS, *rules.FINAL):
        for kind in rules.ORDER_OF_KINDS:
            after = rules.advance(status, kind)
            if status in rules.FINAL:
                assert after == status
            elif after in rules.PROGRESS:
                assert rules.PROGRESS.index(after) >= rules.PROGRESS.index(status)
            assert rules.advance(after, kind) == after
