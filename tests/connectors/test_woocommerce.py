"""What WooCommerce sends, read and received."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from rapport.connectors import tasks
from rapport.connectors.models import WebhookDelivery
from rapport.connectors.order_events import OrderEvent, apply
from rapport.connectors.woocommerce.orders import events
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import Settings
from rapport.loyalty.offers.models import Coupon
from rapport.shop.models import Order
from tests.connectors.fake_shops import WOO_SECRET, WooCommerce, woo_order
from tests.connectors.happenings import coupon_of, sound, the_order
from tests.connectors.happenings import event as happening
from tests.fake_rasa import FakeRasa
from tests.loyalty.threads import at_once
from tests.running import RunningApp, until

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def told(topic: str = "order.updated", **changes: Any) -> list[OrderEvent]:
    return events(topic, woo_order(**changes), NOW)


def test_an_order_with_its_amounts_and_times() -> None:
    [placed] = told("order.created")
    assert (placed.kind, placed.number, placed.reference) == ("placed", "7301", "7301")
    assert placed.order is not None
    # The GMT fields count; the others are in the shop's own zone, which they do not say.
    assert placed.order.placed_at == datetime(2026, 5, 4, 7, 30, tzinfo=UTC)
    assert placed.at == datetime(2026, 5, 4, 7, 30, 4, tzinfo=UTC)
    assert (placed.order.currency, placed.order.total_minor) == ("NOK", 144_810)
    assert [(i.sku, i.quantity, i.unit_price_minor) for i in placed.order.items] == [
        ("FJ-TENT-2", 1, 119_900),
        ("woo-961", 3, 10_000),
    ]
    person = placed.order.customer
    assert person is not None
    assert (person.id, person.email, person.name, person.country) == (
        "88",
        "kari.nordmann@customer.example",
        "Kari Nordmann",
        "NO",
    )


@pytest.mark.parametrize(
    ("currency", "total", "minor"),
    [("NOK", "1448.1", 144_810), ("JPY", "1448", 1448), ("KWD", "14.481", 14_481), ("EUR", "0.005", 1)],
)
def test_amounts_follow_the_currency(currency: str, total: str, minor: int) -> None:
    [placed] = told(currency=currency, total=total, line_items=[])
    assert placed.order is not None
    assert placed.order.total_minor == minor


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"status": "pending"}, []),
        ({"status": "failed"}, []),
        ({"status": "checkout-draft"}, []),
        ({"status": "on-hold"}, ["placed"]),
        ({"status": "processing"}, ["placed"]),  # may be paid at the door
        ({"status": "processing", "date_paid_gmt": "2026-05-04T08:00:00"}, ["placed", "paid"]),
        ({"status": "completed"}, ["placed", "paid", "shipped"]),
        ({"status": "wc-completed"}, ["placed", "paid", "shipped"]),
        ({"status": "cancelled"}, ["placed", "cancelled"]),
        ({"status": "trash"}, ["placed", "cancelled"]),
        (
            {"status": "refunded", "refunds": [{"id": 5, "reason": "", "total": "-1448.10"}]},
            ["placed", "refunded"],
        ),
        ({"status": "our-own"}, ["placed"]),
    ],
)
def test_each_status_becomes_what_must_have_happened(changes: dict[str, Any], kinds: list[str]) -> None:
    assert [event.kind for event in told(**changes)] == kinds


def test_refunds_are_told_by_their_own_ids() -> None:
    refunds = [
        {"id": 7310, "reason": "Too small", "total": "-100.00"},
        {"id": 7311, "reason": None, "total": "-0.00"},
    ]
    event = told(refunds=refunds)[-1]
    assert event.refund is not None
    assert (event.event_id, event.refund.amount_minor, event.refund.reason) == (
        "refund:7310",
        10_000,
        "Too small",
    )
    assert len([e for e in told(refunds=refunds) if e.kind == "refunded"]) == 1


def test_a_deleted_order_is_told_of_by_its_id_alone() -> None:
    [event] = events("order.deleted", {"id": 7301}, NOW)
    assert (event.kind, event.number, event.reference) == ("cancelled", None, "7301")
    # Nobody signs the topic: an order's own body, sent again under this one, deletes nothing.
    with pytest.raises(InvalidInputError, match="id"):
        events("order.deleted", woo_order(), NOW)


def test_a_guest_a_friend_and_an_odd_address() -> None:
    billing = woo_order()["billing"] | {"email": "not an address", "phone": "ring me"}
    meta = [{"id": 1, "key": "rapport_referral", "value": "KARI-4F7K"}]
    [placed] = told(customer_id=0, billing=billing, meta_data=meta)
    assert placed.order is not None
    assert placed.order.customer is not None
    assert (placed.order.customer.id, placed.order.customer.email) == (None, None)
    assert placed.order.referral == "KARI-4F7K"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"total": "many"}, "total"),
        ({"total": None}, "total"),
        ({"total": "-1.00"}, "total"),
        ({"total": "99999999999.00"}, "total"),
        ({"currency": "BTC"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"id": None}, "id"),
        ({"date_created_gmt": "yesterday"}, "date_created_gmt"),
        ({"line_items": "none"}, "line_items"),
        ({"line_items": [{"quantity": 1.5, "subtotal": "1"}]}, "quantity"),
        ({"line_items": [{"quantity": 1, "subtotal": "x"}]}, "line_items.0.subtotal"),
        ({"refunds": [{"id": 1, "total": "x"}]}, "refunds.0.total"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    payload = json.loads(json.dumps(woo_order(**changes)), parse_float=Decimal)
    with pytest.raises(InvalidInputError) as refused:
        events("order.updated", payload, NOW)
    assert str(refused.value).startswith(f"{field}:")


def test_the_same_order_told_again_and_again_changes_nothing(session: Session) -> None:
    done = {"status": "completed", "date_paid_gmt": "2026-05-04T08:00:00"}
    done["refunds"] = [{"id": 7310, "reason": "", "total": "-100.00"}]
    story = [told("order.created"), told(**done), told(**done, date_modified_gmt="2026-05-06T08:00:00")]
    for snapshot in (*story, *story):
        for event in snapshot:
            apply(session, event, same_id_is_same=True)
    order = the_order(session, "7301")
    assert (order.source, order.status) == ("woocommerce", "shipped")
    assert [r.amount_minor for r in order.refunds] == [10_000]
    assert sound(session)


# Received


@pytest.fixture
def app(settings: Settings, engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, engine, rasa, woocommerce_secret=SecretStr(WOO_SECRET))
    yield running
    running.stop()


@pytest.fixture
def shop(app: RunningApp) -> WooCommerce:
    return WooCommerce(app.client)


def deliveries(engine: Engine) -> list[tuple[str, str | None]]:
    with session_scope(engine) as session:
        rows = session.execute(
            select(WebhookDelivery.status, WebhookDelivery.reason).order_by(WebhookDelivery.id)
        )
        return [(row.status, row.reason) for row in rows]


def all_done(engine: Engine, count: int = 1) -> list[tuple[str, str | None]]:
    def found() -> list[tuple[str, str | None]]:
        now = deliveries(engine)
        return now if len(now) == count and all(status != "received" for status, _ in now) else []

    return until(found, 10, "for the deliveries")


def test_without_a_secret_there_is_no_such_address(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    for secret in (None, SecretStr("")):
        running = RunningApp(settings, sqlite_engine, rasa, woocommerce_secret=secret)
        try:
            assert WooCommerce(running.client, "").send("order.created", woo_order()).status_code == 404
            assert WooCommerce(running.client).ping().status_code == 404
        finally:
            running.stop()


def test_the_ping_of_a_new_webhook_is_answered(shop: WooCommerce, engine: Engine) -> None:
    assert shop.ping().status_code == 200
    assert deliveries(engine) == []


def test_an_order_is_stored_acknowledged_and_applied(shop: WooCommerce, engine: Engine) -> None:
    answer = shop.send("order.created", woo_order())
    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert all_done(engine) == [("applied", None)]
    with session_scope(engine) as session:
        assert the_order(session, "7301").total_minor == 144_810
        [stored] = session.scalars(select(WebhookDelivery)).all()
        assert (stored.body, stored.topic, stored.sender) == (None, "order.created", "https://shop.example/")


@pytest.mark.parametrize("how", ["secret", "body", "none", "odd", "empty"])
def test_what_is_not_signed_is_refused_and_not_stored(app: RunningApp, engine: Engine, how: str) -> None:
    shop = WooCommerce(app.client, "another secret" if how == "secret" else WOO_SECRET)
    signature = {"odd": "ø" * 44, "empty": ""}.get(how)
    headers = {} if signature is None else {"X-WC-Webhook-Signature": signature.encode("latin-1")}
    if how == "none":
        answer = app.client.post("/webhooks/woocommerce", json=woo_order())
    elif how == "body":
        good = shop.send("order.created", woo_order())
        tampered = good.request.content.replace(b"1448.10", b"9999.10")
        headers = {k: v for k, v in good.request.headers.items() if k != "content-length"}
        all_done(engine)
        answer = app.client.post("/webhooks/woocommerce", content=tampered, headers=headers)
    else:
        answer = shop.send("order.created", woo_order(), **headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/unauthorized"
    assert len(deliveries(engine)) == (1 if how == "body" else 0)


def test_a_delivery_again_changes_nothing(shop: WooCommerce, engine: Engine) -> None:
    def send() -> str:
        return str(shop.send("order.created", woo_order(), "same").json()["status"])

    assert sorted(at_once(8, send)) == ["received"] + ["repeated"] * 7
    assert all_done(engine) == [("applied", None)]


def test_two_deliveries_of_one_second_share_their_id_and_both_count(
    shop: WooCommerce, engine: Engine
) -> None:
    # WooCommerce hashes the webhook's id and the second.
    shop.send("order.created", woo_order(), "d1")
    shop.send("order.created", woo_order(id=7302, number="7302"), "d1")
    assert all_done(engine, 2) == [("applied", None)] * 2
    with session_scope(engine) as session:
        assert sorted(session.scalars(select(Order.number))) == ["7301", "7302"]


def test_a_code_of_ours_at_the_checkout(shop: WooCommerce, engine: Engine) -> None:
    shop.send("order.created", woo_order())
    all_done(engine)
    with session_scope(engine) as session:
        customer = the_order(session, "7301").customer_id
        assert customer is not None
        code = coupon_of(session, customer)
    # WooCommerce writes codes in small letters.
    line = {"id": 9, "code": code.lower(), "discount": "119.92", "discount_tax": "29.98"}
    changed = woo_order(coupon_lines=[line], date_modified_gmt="2026-05-04T08:00:00")
    shop.send("order.updated", changed)
    all_done(engine, 2)
    with session_scope(engine) as session:
        assert session.scalars(select(Coupon.state)).one() == "redeemed"
    shop.send("order.deleted", {"id": 7301})
    all_done(engine, 3)
    with session_scope(engine) as session:
        assert session.scalars(select(Coupon.state)).one() == "issued"
        assert the_order(session, "7301").status == "cancelled"


def test_what_fails_is_kept_with_its_reason_and_can_be_tried_again(shop: WooCommerce, engine: Engine) -> None:
    shop.send("order.created", woo_order(currency="NOKK"))
    shop.send("order.created", "no object")
    shop.send("coupon.created", {"id": 1})
    [first, second, other] = all_done(engine, 3)
    assert first[0] == second[0] == "failed"
    assert "currency" in (first[1] or "")
    assert other == ("ignored", "nothing about an order")
    with session_scope(engine) as session:
        stored = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).first()
        assert stored is not None
        assert stored.body is not None
        assert stored.next_try_at is not None
        assert (stored.tries, stored.next_try_at > clock.now()) == (1, True)
        stored.body = json.dumps(woo_order()).encode()  # as if what was wrong had been put right
        stored.next_try_at = clock.now()
    assert tasks.apply_due(engine) == "1 deliveries"
    assert deliveries(engine)[0] == ("applied", None)


def test_a_delivery_left_behind_by_a_crash_is_applied_later(engine: Engine) -> None:
    with session_scope(engine) as session:
        session.add(
            WebhookDelivery(
                source="woocommerce",
                delivery_id="d",
                digest="0" * 64,
                topic="order.created",
                body=json.dumps(woo_order()).encode(),
                next_try_at=clock.now(),
            )
        )
    assert at_once(4, lambda: tasks.apply_due(engine)) != []
    assert deliveries(engine) == [("applied", None)]
    with session_scope(engine) as session:
        assert the_order(session, "7301").number == "7301"


def test_a_delivery_that_the_database_breaks_off_does_not_block_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(engine) as session:
        for number in (7301, 7302):
            session.add(
                WebhookDelivery(
                    source="woocommerce",
                    delivery_id=str(number),
                    digest="0" * 64,
                    topic="order.created",
                    body=json.dumps(woo_order(id=number, number=str(number))).encode(),
                    next_try_at=clock.now(),
                )
            )
    work = tasks._apply

    def deadlock(session: Session, delivery: WebhookDelivery) -> int:
        if delivery.delivery_id == "7301":
            raise OperationalError("UPDATE", {}, Exception("deadlock detected"))
        return work(session, delivery)

    monkeypatch.setattr(tasks, "_apply", deadlock)
    for _ in range(2):
        tasks.apply_due(engine)
        assert deliveries(engine) == [("failed", "the database broke it off"), ("applied", None)]
    with session_scope(engine) as session:
        [next_try, _] = session.scalars(select(WebhookDelivery.next_try_at).order_by(WebhookDelivery.id))
        assert next_try is not None
        assert next_try > clock.now()


def test_a_failure_half_way_leaves_nothing_of_the_delivery(engine: Engine, shop: WooCommerce) -> None:
    order = woo_order(refunds=[{"id": 1, "total": "-50.00"}])
    with session_scope(engine) as session:
        told = happening("placed", source="woocommerce", reference="99", number="7000")
        apply(session, told)
        said = {"reference": "1", "amount_minor": 5_000}
        apply(session, happening("refunded", 1, source="woocommerce", number="7000", refund=said))
    shop.send("order.created", order)
    [(status, reason)] = all_done(engine)
    assert status == "failed"
    assert "refund.reference" in (reason or "")
    with session_scope(engine) as session:
        assert session.scalars(select(Order.number)).all() == ["7000"]


def test_old_deliveries_are_forgotten_and_failures_are_not(engine: Engine) -> None:
    with session_scope(engine) as session:
        for place, status in enumerate(("applied", "failed", "applied")):
            done_at = None if status == "failed" else clock.now() - tasks.DONE_KEPT * (place or 2)
            session.add(
                WebhookDelivery(
                    source="woocommerce",
                    delivery_id=str(place),
                    digest="0" * 64,
                    topic="order.created",
                    status=status,
                    done_at=done_at,
                )
            )
    tasks.forget(engine)
    assert [status for status, _ in deliveries(engine)] == ["failed"]
