"""The demo shop: whole, plausible, and the same for the same day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport import demo
from rapport.cases.models import Case
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, Identity, Interest
from rapport.customers.rules import normalise_email
from rapport.customers.service import find_by_identity
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Offer
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.sync import warnings
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks as points_tasks
from rapport.loyalty.points.models import Account, Earning, Membership, Posting
from rapport.review import service as review
from rapport.review.filters import Filters
from rapport.review.service import Reader
from rapport.shop import service as shop
from rapport.shop.catalogue import Catalogue
from rapport.shop.facts import get_facts
from rapport.shop.models import ORDER_STATUSES, Order, Product, ProductText

TODAY = date(2026, 5, 3)
PERSONAS = [persona.email for persona in demo.personas()]
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo_engine(shared_engine: Engine) -> Engine:
    """A database with the demo, for tests that only look."""
    with session_scope(shared_engine) as session:
        demo.load(session, TODAY)
    return shared_engine


@pytest.fixture
def loaded(demo_engine: Engine) -> Iterator[Session]:
    with read_scope(demo_engine) as session:
        yield session


def _fingerprint(session: Session) -> list[tuple[object, ...]]:
    queries = (
        select(Order.number, Order.placed_at, Order.status, Order.total_minor, Order.customer_id),
        select(Identity.kind, Identity.value, Identity.customer_id),
        select(Posting.points, Account.customer_id).join(Account, Account.id == Posting.account_id),
        select(ConsentEvent.customer_id, ConsentEvent.granted, ConsentEvent.at),
        select(Interest.customer_id, Interest.topic),
        select(Product.sku, Product.price_minor),
    )
    return [
        tuple(row) for query in queries for row in session.execute(query.order_by(*query.selected_columns))
    ]


def test_the_same_day_gives_the_same_shop(sqlite_engine: Engine, postgres_engine: Engine) -> None:
    prints = []
    for engine in (sqlite_engine, postgres_engine):
        with session_scope(engine) as session:
            assert demo.is_empty(session)
            demo.load(session, TODAY)
            assert not demo.is_empty(session)
            prints.append(sorted(_fingerprint(session), key=str))
    assert prints[0] == prints[1]


def test_it_says_what_it_loaded(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session:
        summary = demo.load(session, TODAY)
    assert (summary.products, summary.customers) == (60, 300)
    assert str(summary).startswith("60 products, 300 customers, ")


def test_products_are_whole(loaded: Session) -> None:
    products = loaded.scalars(select(Product)).all()
    assert {product.category for product in products} == set(get_facts().categories)
    for product in products:
        assert {text.language for text in product.texts} == set(LANGUAGES)
        assert all(text.name and text.description for text in product.texts)
        assert product.image == f"/demo/images/{product.category}.svg"
        assert 0 < (product.cost_minor or 0) < product.price_minor
    for language in LANGUAGES:
        names = loaded.scalars(select(ProductText.name).where(ProductText.language == language)).all()
        assert len(set(names)) == len(products)


def test_customers_are_nobody_real(loaded: Session) -> None:
    addresses = loaded.scalars(select(Identity.value).where(Identity.kind == "email")).all()
    assert len(addresses) == 300
    for address in addresses:
        assert address.split("@")[1] in {"example.com", "example.org", "example.net"}
        assert normalise_email(address) == address
    languages = loaded.execute(select(Customer.language, func.count()).group_by(Customer.language))
    assert all(count >= 30 for _, count in languages)
    assert all(event.source for event in loaded.scalars(select(ConsentEvent)))
    assert loaded.scalar(select(func.count()).select_from(ContactPolicy)) > 100  # type: ignore[operator]


def test_orders_are_plausible(loaded: Session) -> None:
    orders = loaded.scalars(select(Order).order_by(Order.id)).all()
    assert [order.number for order in orders] == [f"FJ-{10_001 + index}" for index in range(len(orders))]
    assert all(earlier.placed_at <= later.placed_at for earlier, later in pairwise(orders))
    end = datetime(2026, 5, 3, 0, 5, tzinfo=UTC)
    assert end - timedelta(days=731) < orders[0].placed_at < end - timedelta(days=650)
    assert end - timedelta(hours=1) < orders[-1].placed_at < end
    assert {order.status for order in orders} <= set(ORDER_STATUSES)
    for order in orders:
        assert order.total_minor == sum(item.quantity * item.unit_price_minor for item in order.items)
        if order.status == "shipped":
            assert order.carrier
            assert order.tracking_number
            assert order.expected_at
            assert order.expected_at > end - timedelta(days=1)
        if order.status == "delivered":
            assert order.delivered_at
            assert order.placed_at < (order.shipped_at or end) < order.delivered_at < end
    refunds = [refund for order in orders for refund in order.refunds]
    assert len(refunds) > 10
    assert all(refund.at < end for refund in refunds)


def test_points_add_up(loaded: Session) -> None:
    assert points_tasks.check(loaded) == []
    assert loaded.scalar(select(func.sum(Posting.points))) == 0
    sums = dict(
        tuple(row)
        for row in loaded.execute(select(Account.kind, func.sum(Account.balance)).group_by(Account.kind))
    )
    # Most orders are past their return period; some of their points are pending, and nobody owes any.
    assert sums["points"] > 2 * sums["pending"] > 0
    assert (sums["held"], sums["debt"]) == (0, 0)
    end = datetime(2026, 5, 3, tzinfo=UTC)
    pending = loaded.scalars(select(Earning).where(Earning.matured_at.is_(None))).all()
    assert pending
    assert all(one.matures_at is not None and one.matures_at > end for one in pending)
    mature = loaded.scalars(select(Earning).where(Earning.matured_at.is_not(None))).all()
    assert all(one.taken_back == one.points or (one.matures_at or end) <= end for one in mature)


def test_every_level_has_somebody(loaded: Session) -> None:
    tiers = dict(
        tuple(row) for row in loaded.execute(select(Membership.tier, func.count()).group_by(Membership.tier))
    )
    assert set(tiers) == {tier.key for tier in get_facts().club.tiers}
    assert tiers["trail"] > tiers["ridge"] > tiers["summit"] > 10


@pytest.mark.parametrize(
    ("email", "status", "percent", "language"),
    [
        ("kari@example.com", "shipped", 15, "nb"),
        ("emma@example.com", "placed", 10, "en"),
        ("lucia@example.com", "delivered", 10, "es"),
        ("andrei@example.com", "paid", 15, "ro"),
    ],
)
def test_personas(loaded: Session, email: str, status: str, percent: int, language: str) -> None:
    persona = next(persona for persona in demo.personas() if persona.email == email)
    assert persona.language == language
    customer = find_by_identity(loaded, "email", email)
    assert customer is not None
    assert (customer.name, customer.language) == (persona.name, language)
    order = shop.newest_order(loaded, customer.id, language)
    assert order is not None
    assert order.status == status
    assert ledger.balance(loaded, customer.id) > 0
    with clock.freeze(NOON):
        offer = offers.entitled_offer(loaded, customer.id)
    assert offer is not None
    assert offer.percent == percent


def test_another_day_moves_everything(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session:
        demo.load(session, TODAY + timedelta(days=400))
        newest = session.scalar(select(func.max(Order.placed_at)))
    assert newest is not None
    assert newest.date() == TODAY + timedelta(days=400)


def test_offers_come_unused(loaded: Session) -> None:
    offers = loaded.execute(select(Offer.key, Offer.percent, Offer.used)).all()
    assert {("welcome", 10, 0), ("loyal", 15, 0)} <= {tuple(offer) for offer in offers}
    assert all(offer.used == 0 for offer in offers)
    assert warnings(loaded, get_rulebook()) == [], "presents that can be had"


def test_the_catalogue_knows_the_products(demo_engine: Engine) -> None:
    catalogue = Catalogue(demo_engine)
    for text, sku in (
        ("have you got the Vidda 2?", "TENT-101"),
        ("har dere Nordlys 500 hodelykt på lager", "LIGHT-701"),
        ("cort de munte jotun fell 2", "TENT-103"),
        ("me gustan las botas de senderismo trollstien mid", "BOOT-501"),
        ("how much is the trolstien mid", "BOOT-501"),
    ):
        assert [match["value"] for match in catalogue.match(text)] == [sku], text
    for text, category in (
        ("quiero una botella con tapa", "bottles"),
        ("vreau un rucsac pentru munte", "backpacks"),
        ("jeg liker ski", "skiing"),
    ):
        assert [match["value"] for match in catalogue.match(text)] == [category], text
    for text in ("what is your refund policy", "hvor er pakken min?", "gracias por todo", "o zi bună"):
        assert catalogue.match(text) == [], text


def test_conversations_show_what_a_shop_looks_for(loaded: Session) -> None:
    def listed(**filters: Any) -> int:
        return len(review.page(loaded, Filters(**filters), Reader()).rows)

    assert [listed(language=one) > 1 for one in LANGUAGES] == [True] * len(LANGUAGES)
    assert listed(status="waiting") == 1
    assert listed(complaint=True) == 2
    assert listed(missed=True) >= 3
    assert listed(below=0.4) >= 3
    assert review.search(loaded, Filters(q="glidelasen jakken"), Reader()).rows[0].customer_id is not None
    # No persona has a complaint: it would keep offers from them.
    complaining = set(loaded.scalars(select(Case.customer_id)))
    people = loaded.scalars(select(Identity.customer_id).where(Identity.value.in_(PERSONAS)))
    assert not complaining & set(people)
