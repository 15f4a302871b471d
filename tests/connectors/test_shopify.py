"""What Shopify sends, read and received."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.connectors.models import OrderEventRecord, WebhookDelivery
from rapport.connectors.order_events import OrderEvent, apply
from rapport.connectors.shopify.orders import events
from rapport.customers.models import Customer, ExternalRef
from rapport.customers.service import ensure_customer
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.kit.settings import Settings
from tests.connectors.fake_shops import (
    SHOPIFY_SECRET,
    Shopify,
    shopify_fulfillment,
    shopify_order,
    shopify_refund,
)
from tests.connectors.happenings import sound, the_order
from tests.fake_rasa import FakeRasa
from tests.loyalty.threads import at_once
from tests.running import RunningApp, until

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PAID = {"financial_status": "paid", "updated_at": "2026-05-04T09:31:00+02:00"}
SENT = PAID | {
    "fulfillment_status": "fulfilled",
    "updated_at": "2026-05-05T08:00:01+02:00",
    "fulfillments": [shopify_fulfillment()],
}
THERE = SENT | {
    "updated_at": "2026-05-07T12:00:01+02:00",
    "fulfillments": [
        shopify_fulfillment(shipment_status="delivered", updated_at="2026-05-07T12:00:00+02:00")
    ],
}


def told(topic: str = "orders/updated", **changes: Any) -> list[OrderEvent]:
    return events(topic, shopify_order(**changes), NOW)


def test_an_order_with_its_amounts_and_times() -> None:
    [placed] = told("orders/create")
    assert (placed.kind, placed.number, placed.reference) == ("placed", "#1042", "6120498823442")
    assert placed.order is not None
    assert placed.order.placed_at == datetime(2026, 5, 4, 7, 30, tzinfo=UTC)
    assert (placed.order.total_minor, placed.order.subtotal_minor) == (144_810, 149_900)
    assert [(i.sku, i.quantity, i.unit_price_minor) for i in placed.order.items] == [
        ("FJ-TENT-2", 1, 119_900),
        ("shopify-4700961", 3, 10_000),
    ]
    person = placed.order.customer
    assert person is not None
    assert (person.id, person.email, person.phone, person.language, person.country) == (
        "8112245506",
        "kari.nordmann@customer.example",
        "+4791234567",
        "nb-NO",
        "NO",
    )


def test_what_was_typed_at_the_checkout_counts_without_an_account_only() -> None:
    typed = {"email": "somebody@customer.example", "phone": "+4790000000"}
    placed = told(**typed)[0].order
    assert placed is not None
    assert placed.customer is not None
    assert (placed.customer.email, placed.customer.phone) == ("kari.nordmann@customer.example", "+4791234567")
    guest = told(**typed, customer=None)[0].order
    assert guest is not None
    assert guest.customer is not None
    assert (guest.customer.id, guest.customer.email, guest.customer.phone) == (
        None,
        typed["email"],
        typed["phone"],
    )


def test_an_account_whose_address_we_know_is_that_customer(session: Session) -> None:
    known = ensure_customer(session, identities=[("email", "kari.nordmann@customer.example")])
    assert apply(session, told()[0]).customer_id == known.id
    typed = shopify_order(email="kari.nordmann@customer.example", id=2, name="#2")
    typed["customer"] |= {"id": 666, "email": "mallory@customer.example"}
    assert apply(session, events("orders/create", typed, NOW)[0]).customer_id != known.id


def test_a_deleted_order_is_told_of_by_its_id_alone() -> None:
    [event] = events("orders/delete", {"id": 7301}, NOW)
    assert (event.kind, event.reference) == ("cancelled", "7301")
    with pytest.raises(InvalidInputError, match="id"):
        events("orders/delete", shopify_order(), NOW)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, ["placed"]),
        ({"financial_status": "authorized"}, ["placed"]),
        (PAID, ["placed", "paid"]),
        ({"financial_status": "partially_refunded"}, ["placed", "paid"]),
        (
            PAID | {"fulfillment_status": "partial", "fulfillments": [shopify_fulfillment()]},
            ["placed", "paid"],
        ),
        (SENT, ["placed", "paid", "shipped"]),
        (THERE, ["placed", "paid", "shipped", "delivered"]),
        (
            THERE | {"fulfillments": [*THERE["fulfillments"], shopify_fulfillment(id=2)]},
            ["placed", "paid", "shipped"],
        ),
        ({"cancelled_at": "2026-05-04T10:00:00+02:00", "cancel_reason": "customer"}, ["placed", "cancelled"]),
        ({"refunds": [shopify_refund(9, "100.00")]}, ["placed", "refunded"]),
        ({"test": True}, []),
    ],
)
def test_each_state_becomes_what_must_have_happened(changes: dict[str, Any], kinds: list[str]) -> None:
    assert [event.kind for event in told(**changes)] == kinds


def test_a_refund_counts_the_money_that_went_back() -> None:
    [refunded] = events("refunds/create", shopify_refund(77, "100.00"), NOW)
    assert refunded.refund is not None
    assert (refunded.number, refunded.reference, refunded.refund.amount_minor) == (
        None,
        "6120498823442",
        10_000,
    )
    # Goods taken back for nothing are no refund to us.
    assert events("refunds/create", shopify_refund(78, "0.00"), NOW) == []


def test_a_parcel_says_how_much_of_the_order_it_holds() -> None:
    [shipped] = events("fulfillments/create", shopify_fulfillment(), NOW)
    assert shipped.shipment is not None
    assert (shipped.kind, shipped.shipment.units, shipped.shipment.tracking_number) == (
        "shipped",
        4,
        "70730259042",
    )
    there = shopify_fulfillment(shipment_status="delivered")
    assert [e.kind for e in events("fulfillments/update", there, NOW)] == ["shipped", "delivered"]
    assert events("fulfillments/update", shopify_fulfillment(status="cancelled"), NOW) == []


@pytest.mark.parametrize(
    "topic", ["products/update", "app/uninstalled", "orders/risk_assessment_changed", ""]
)
def test_other_topics_are_nothing_to_us(topic: str) -> None:
    assert told(topic) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"total_price": "x"}, "total_price"),
        ({"total_price": "-1"}, "total_price"),
        ({"total_price": "NaN"}, "total_price"),
        ({"currency": "GOLD"}, "currency"),
        ({"id": None}, "id"),
        ({"name": "", "order_number": None}, "order_number"),
        ({"processed_at": 5}, "processed_at"),
        ({"customer": "Kari"}, "customer"),
        ({"line_items": [{"sku": "A", "quantity": 1, "price": []}]}, "line_items.0.price"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        told(**changes)
    assert str(refused.value).startswith(f"{field}:")


def test_a_refund_in_another_currency_is_refused(session: Session) -> None:
    for event in told("orders/create"):
        apply(session, event)
    refund = shopify_refund(77, "100.00")
    refund["transactions"][0]["currency"] = "EUR"
    [event] = events("refunds/create", refund, NOW)
    with pytest.raises(ConflictError, match=r"refund\.currency"), session.begin_nested():
        apply(session, event)


# Received


@pytest.fixture
def app(settings: Settings, engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, engine, rasa, shopify_secret=SecretStr(SHOPIFY_SECRET))
    yield running
    running.stop()


@pytest.fixture
def shop(app: RunningApp) -> Shopify:
    return Shopify(app.client)


def all_done(engine: Engine, count: int) -> list[str]:
    def found() -> list[str]:
        with session_scope(engine) as session:
            now = list(session.scalars(select(WebhookDelivery.status).order_by(WebhookDelivery.id)))
        return now if len(now) == count and "received" not in now else []

    return until(found, 15, "for the deliveries")


STORY: list[tuple[str, dict[str, Any]]] = [
    ("orders/create", shopify_order()),
    ("orders/paid", shopify_order(**PAID)),
    ("fulfillments/create", shopify_fulfillment()),
    ("orders/fulfilled", shopify_order(**SENT)),
    ("fulfillments/update", shopify_fulfillment(shipment_status="delivered")),
    ("orders/updated", shopify_order(**THERE)),
    ("refunds/create", shopify_refund(77, "448.10")),
    (
        "orders/updated",
        shopify_order(
            **THERE | {"financial_status": "partially_refunded", "updated_at": "2026-05-20T10:00:02+02:00"},
            refunds=[shopify_refund(77, "448.10")],
        ),
    ),
]


@pytest.mark.parametrize("order", ["as it was", "backwards", "all at once"])
def test_a_whole_story_ends_the_same_however_it_arrives(shop: Shopify, engine: Engine, order: str) -> None:
    story = list(reversed(STORY)) if order == "backwards" else STORY
    if order == "all at once":
        left = iter(story)
        sent = at_once(len(story), lambda: shop.send(*next(left)).status_code)
    else:
        sent = [shop.send(topic, payload).status_code for topic, payload in story]
    assert sent == [200] * len(STORY)
    assert all_done(engine, len(STORY)) == ["applied"] * len(STORY)
    with session_scope(engine) as session:
        found = the_order(session, "#1042")
        assert (found.source, found.status, found.total_minor) == ("shopify", "delivered", 144_810)
        assert (found.carrier, found.tracking_number) == ("Posten", "70730259042")
        assert [r.amount_minor for r in found.refunds] == [44_810]
        assert session.scalars(select(ExternalRef.value)).all() == ["8112245506"]
        assert len(session.scalars(select(Customer)).all()) == 1
        assert session.scalars(select(OrderEventRecord).where(OrderEventRecord.waiting)).all() == []
        assert sound(session)


def test_it_is_acknowledged_again_and_counts_once(shop: Shopify, engine: Engine) -> None:
    same = uuid4()
    first = shop.send("orders/create", shopify_order(), same)
    again = shop.send("orders/create", shopify_order(), same)
    assert [first.json(), again.json()] == [{"status": "received"}, {"status": "repeated"}]
    assert all_done(engine, 1) == ["applied"]


def test_only_its_own_signature_is_taken(app: RunningApp, engine: Engine) -> None:
    wrong = Shopify(app.client, "another secret")
    assert wrong.send("orders/create", shopify_order()).status_code == 401
    unsigned = app.client.post("/webhooks/shopify", json=shopify_order())
    assert unsigned.status_code == 401
    # A ping is WooCommerce's habit.
    assert app.client.post("/webhooks/shopify", data={"webhook_id": "1"}).status_code == 401
    # The other shop's address is not there: its secret is not set.
    assert app.client.post("/webhooks/woocommerce", data={"webhook_id": "1"}).status_code == 404
    with session_scope(engine) as session:
        assert session.scalars(select(WebhookDelivery)).all() == []


def test_only_the_shop_that_is_named_is_taken(settings: Settings, engine: Engine, rasa: FakeRasa) -> None:
    running = RunningApp(
        settings,
        engine,
        rasa,
        shopify_secret=SecretStr(SHOPIFY_SECRET),
        shopify_shop="Fjordly.myshopify.com",
    )
    try:
        shop = Shopify(running.client)
        assert shop.send("orders/create", shopify_order()).status_code == 200
        headers = {"X-Shopify-Shop-Domain": "other.myshopify.com"}
        assert shop.send("orders/create", shopify_order(id=2), **headers).status_code == 401
    finally:
        running.stop()
    with session_scope(engine) as session:
        assert len(session.scalars(select(WebhookDelivery)).all()) == 1


def test_a_large_order_is_taken_and_a_huge_body_is_not(shop: Shopify, engine: Engine) -> None:
    lines = [shopify_order()["line_items"][0] | {"id": n, "sku": f"SKU-{n}"} for n in range(400)]
    assert shop.send("orders/create", shopify_order(line_items=lines)).status_code == 200
    assert all_done(engine, 1) == ["applied"]
    with session_scope(engine) as session:
        assert len(the_order(session, "#1042").items) == 400
    assert shop.send("orders/create", shopify_order(note="x" * 2_200_000)).status_code == 413


def test_neither_secrets_nor_people_stand_in_the_log(
    shop: Shopify, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    shop.send("orders/create", shopify_order())
    shop.send("orders/updated", shopify_order(total_price="x"))
    assert sorted(all_done(engine, 2)) == ["applied", "failed"]
    for word in (SHOPIFY_SECRET, "kari", "Nordmann", "91234567"):
        assert word not in caplog.text
