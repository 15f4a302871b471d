"""Looking up orders: only one's own, however the number is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.shop import service
from rapport.shop.models import Order, OrderItem, Product, ProductText, Refund

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


def _order(session: Session, customer: Customer, number: str, days_ago: int, **values: object) -> Order:
    fields = {"source": "shop", "status": "shipped", "currency": "NOK", "total_minor": 5000} | values
    order = Order(number=number, customer_id=customer.id, placed_at=NOW - timedelta(days=days_ago), **fields)
    order.items = [
        OrderItem(line=1, sku="TENT-1", description="A tent", quantity=2, unit_price_minor=2000),
        OrderItem(line=2, sku="OLD-1", description="", quantity=1, unit_price_minor=1000),
    ]
    session.add(order)
    session.flush()
    return order


@pytest.fixture
def people(session: Session) -> tuple[Customer, Customer]:
    kari, ola = Customer(name="Kari"), Customer(name="Ola")
    session.add_all([kari, ola])
    session.flush()
    return kari, ola


def test_newest_and_recent(session: Session, people: tuple[Customer, Customer]) -> None:
    kari, ola = people
    assert service.newest_order(session, kari.id) is None
    for day in range(7):
        _order(session, kari, f"FJ-{day}", day)
    newest = service.newest_order(session, kari.id)
    assert newest is not None
    assert newest.number == "FJ-0"
    assert newest.placed_at == NOW
    assert [order.number for order in service.recent_orders(session, kari.id)] == [
        "FJ-0",
        "FJ-1",
        "FJ-2",
        "FJ-3",
        "FJ-4",
    ]
    assert service.recent_orders(session, ola.id) == []


def test_find_is_tolerant_but_private(session: Session, people: tuple[Customer, Customer]) -> None:
    kari, ola = people
    _order(session, kari, "FJ-10234", 1)
    for spelling in ("FJ-10234", "#fj10234", "10234", "fj 10234"):
        found = service.find_order(session, kari.id, spelling)
        assert found is not None
        assert found.number == "FJ-10234"
        assert service.find_order(session, ola.id, spelling) is None
    assert service.find_order(session, kari.id, "1023") is None


def test_the_full_number_wins_over_its_digits(session: Session, people: tuple[Customer, Customer]) -> None:
    kari, _ = people
    _order(session, kari, "10234", 9, source="file")
    _order(session, kari, "FJ-10234", 1)
    found = service.find_order(session, kari.id, "10234")
    assert found is not None
    assert found.number == "10234"


def test_status_counts_refunds_in(session: Session, people: tuple[Customer, Customer]) -> None:
    kari, _ = people
    order = _order(session, kari, "FJ-1", 1, status="delivered")
    for reference, amount in (("a", 2000), ("b", 3000)):
        session.add(
            Refund(
                order_id=order.id,
                source="shop",
                reference=reference,
                amount_minor=amount,
                currency="NOK",
                at=NOW,
            )
        )
        session.flush()
        session.expire(order)
    found = service.newest_order(session, kari.id)
    assert found is not None
    assert (found.status, found.refunded_minor) == ("refunded", 5000)


def test_products_are_named_in_the_language(session: Session, people: tuple[Customer, Customer]) -> None:
    kari, _ = people
    product = Product(sku="TENT-1", price_minor=2000, currency="NOK")
    product.texts = [ProductText(language="nb", name="Et telt")]
    session.add(product)
    _order(session, kari, "FJ-1", 1)
    order = service.newest_order(session, kari.id, "nb")
    assert order is not None
    assert [line.description for line in order.items] == ["Et telt", "OLD-1"]
    order = service.newest_order(session, kari.id, "ro")
    assert order is not None
    assert order.items[0].description == "A tent"


def test_topic_name(session: Session) -> None:
    product = Product(sku="TENT-1", price_minor=2000, currency="NOK")
    product.texts = [ProductText(language="en", name="A tent"), ProductText(language="nb", name="Et telt")]
    session.add(product)
    session.flush()
    assert service.topic_name(session, "tents", "es") == "tiendas de campaña"
    assert service.topic_name(session, "TENT-1", "nb") == "Et telt"
    assert service.topic_name(session, "TENT-1", "es") == "A tent"
    assert service.topic_name(session, "sofas", "es") is None
