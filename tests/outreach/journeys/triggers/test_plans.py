"""Triggers find who is due by index, in few statements however many there are, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from rapport.cases.models import Case
from rapport.customers.models import ConsentEvent, Customer
from rapport.kit.database import session_scope
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.points.models import Account, Lot
from rapport.outreach.journeys.models import JourneyEntry
from rapport.outreach.journeys.triggers import KINDS, base
from rapport.shop.models import Order, OrderItem, Product
from rapport.site.models import SiteEvent, SiteVisitor, StockWish
from rapport.value.models import CustomerValue
from tests.loyalty.offers.shop import DAY, NOW
from tests.outreach.journeys.triggers.finding import found, journey
from tests.plans import read_whole, statements

PEOPLE = 2_000
MANY = (
    Order,
    OrderItem,
    ConsentEvent,
    CustomerValue,
    Account,
    Lot,
    Coupon,
    Case,
    JourneyEntry,
    SiteEvent,
    StockWish,
)
# So many of them are due for every kind.
DUE = 30


@pytest.fixture(scope="module")
def shop_of_many(shared_engine: Engine) -> Engine:
    """A few became due lately, everybody else long ago."""

    def when(n: int) -> Any:
        return NOW - DAY if n <= DUE else NOW - (100 + n) * DAY

    numbers = range(1, PEOPLE + 1)
    rows: dict[type, list[dict[str, Any]]] = {
        Customer: [{"id": n, "stage": "trust", "created_at": NOW} for n in numbers],
        Order: [
            {
                "id": n,
                "source": "s",
                "number": str(n),
                "customer_id": n,
                "status": "delivered",
                "currency": "NOK",
                "total_minor": 1,
                "placed_at": when(n),
                "delivered_at": when(n),
            }
            for n in numbers
        ],
        OrderItem: [
            {"order_id": n, "line": 1, "sku": f"S{n}", "quantity": 1, "unit_price_minor": 1} for n in numbers
        ],
        ConsentEvent: [
            {
                "customer_id": n,
                "purpose": "newsletter",
                "channel": "email",
                "granted": True,
                "wording_version": "1",
                "source": "chat",
                "at": when(n),
            }
            for n in numbers
        ],
        Product: [
            {"id": n, "sku": f"P{n}", "price_minor": 1, "currency": "NOK", "stock": 1} for n in numbers
        ],
        SiteVisitor: [{"id": n, "customer_id": n, "key_hash": str(n), "seen_at": NOW} for n in numbers],
        SiteEvent: [
            {
                "visitor_id": n,
                "customer_id": n,
                "kind": ("view", "cart", "signup")[n % 3],
                "day": when(n).date(),
                "at": when(n),
                "cart": {"items": [{"sku": "P1", "quantity": 1}]},
            }
            for n in numbers
        ],
        StockWish: [
            {
                "product_id": n,
                "customer_id": n,
                "source": "site",
                "asked_at": when(n),
                "seen_out": True,
                "fulfilled_at": when(n),
            }
            for n in numbers
        ],
        CustomerValue: [
            {
                "customer_id": n,
                "orders": 2,
                "buying_days": 2,
                "revenue_minor": n,
                "costed_minor": 0,
                "margin_minor": 0,
                "segment": "at_risk" if n <= DUE else f"s{n % 7}",
                "last_order_at": when(n),
                "expected_next_at": when(n),
            }
            for n in numbers
        ],
        Account: [{"id": n, "customer_id": n, "kind": "points", "balance": 500} for n in numbers],
        Lot: [{"account_id": n, "points": 500, "remaining": 500, "expires_at": when(n)} for n in numbers],
        Offer: [{"id": 1, "key": "a"}],
        Coupon: [
            {
                "code": f"FJ-{n:08d}",
                "offer_id": 1,
                "customer_id": n,
                "grant_key": f"k{n}",
                "occasion": ("birthday", "anniversary", "surprise", "recovery")[n % 4],
                "issued_at": when(n),
                "expires_at": NOW + DAY,
                "reason": {},
            }
            for n in numbers
        ],
        Case: [
            {
                "kind": "complaint",
                "customer_id": n,
                "message_key": f"m{n}",
                "text": "",
                "language": "en",
                "opened_at": when(n),
                "due_at": when(n),
                "resolved_at": when(n),
            }
            for n in numbers
        ],
        JourneyEntry: [
            {
                "customer_id": n,
                "journey": f"j{n % 5}",
                "trigger_key": f"order:{n}",
                "variant": "a",
                "anchor_at": when(n),
                "entered_at": when(n),
                "context": {},
            }
            for n in numbers
        ],
    }
    with session_scope(shared_engine) as session:
        for table, values in rows.items():
            session.execute(insert(table), values)
    with shared_engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    return shared_engine


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_due_is_found_by_index_in_few_statements(
    shop_of_many: Engine, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = shop_of_many
    with statements(engine) as asked, session_scope(engine) as session:
        found(session, journey(kind))
    assert asked
    scanned = {table for one in asked for table in read_whole(engine, one)}
    assert scanned & {table.__tablename__ for table in MANY} == set()
    once = len(asked)
    monkeypatch.setattr(base, "BATCH", DUE // 3)
    with statements(engine) as asked, session_scope(engine) as session:
        found(session, journey(kind))
    assert len(asked) <= 4 * once + 1
