"""Who begins a journey because of what they did on the site, or waited for; on both databases."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.outreach.journeys.triggers import base
from rapport.preferences.models import Subscription
from rapport.site import repository, rules, tasks
from rapport.site.models import SiteEvent, SiteVisitor, StockWish
from tests.loyalty.offers.shop import DAY, NOW, customer, order
from tests.outreach.journeys.triggers.finding import enter, found, journey, put
from tests.site.conftest import stock

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def did(session: Session, customer_id: int | None, kind: str, at: datetime, **more: Any) -> SiteEvent:
    """Something a customer did, each time in another browser."""
    visitor = SiteVisitor(key_hash=f"{customer_id}-{kind}-{at}-{more}"[:64], customer_id=customer_id)
    session.add(visitor)
    session.flush()
    event = SiteEvent(visitor_id=visitor.id, customer_id=customer_id, kind=kind, at=at, day=at.date(), **more)
    session.add(event)
    session.flush()
    return event


def cart(*skus: str, **more: Any) -> dict[str, Any]:
    return {"items": [{"sku": sku, "quantity": 1} for sku in skus], **more}


def test_cart_left_finds_what_a_customer_has_left_and_not_bought(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BATCH", 1)
    left = journey("cart_left")
    with session_scope(engine) as session:
        ann, bob = customer(session), customer(session)
        hers = did(session, ann, "cart", NOW - HOUR, cart=cart("TENT", "BOOTS", url="https://s.example/cart"))
        did(session, ann, "cart", NOW - 9 * HOUR, cart=cart("SOCKS"))  # on another device, before
        his = did(session, bob, "cart", NOW - 48 * HOUR + MINUTE, cart=cart("TENT"))
        order(session, bob, NOW - 49 * HOUR)
        did(session, None, "cart", NOW - 2 * HOUR, cart=cart("TENT"))
        for kind, at, what in (
            ("cart", NOW - 59 * MINUTE, cart("TENT")),  # still there
            ("cart", NOW - 48 * HOUR, cart("TENT")),
            ("cart", NOW - 2 * HOUR, None),  # emptied
        ):
            did(session, customer(session), kind, at, cart=what)
        for later in ("cart", "checkout", "order"):
            somebody = customer(session)
            did(session, somebody, "cart", NOW - 3 * HOUR, cart=cart("TENT"))
            if later == "order":
                order(session, somebody, NOW - 2 * HOUR)
            else:
                did(session, somebody, later, NOW - 2 * HOUR)
        due = found(session, left)
        assert [(one.customer_id, one.trigger_key) for one in due] == [
            (bob, cart_key(his)),
            (ann, cart_key(hers)),
        ]
        assert due[1].anchor_at == NOW
        assert due[1].context == {"skus": ["TENT", "BOOTS"], "link": "https://s.example/cart"}
        assert due[0].context == {"skus": ["TENT"]}
        enter(session, due[1])
        assert [one.customer_id for one in found(session, left)] == [bob]
        assert found(session, journey("cart_left", minutes=49 * 60)) == []


def cart_key(event: SiteEvent) -> str:
    return f"cart:{event.id}:{int(event.at.timestamp())}"


def test_cart_left_finds_the_next_cart_whatever_number_the_database_gives_it(engine: Engine) -> None:
    left = journey("cart_left")
    with session_scope(engine) as session:
        visitor = repository.locked_visitor(session, "ann", NOW)
        visitor.customer_id = customer(session)
        repository.put_last(session, visitor, rules.CART, NOW - HOUR, cart("TENT"))
        enter(session, found(session, left)[0])
        repository.put_last(session, visitor, rules.CART, NOW + 20 * DAY, cart("BOOTS"))
        assert found(session, left, NOW + 20 * DAY) == []
        [again] = found(session, left, NOW + 20 * DAY + HOUR)
        assert again.context == {"skus": ["BOOTS"]}


def test_product_viewed_finds_who_comes_back_to_it(engine: Engine) -> None:
    viewed = journey("product_viewed")
    with session_scope(engine) as session:
        tent, boots = stock(session, "TENT"), stock(session, "BOOTS")
        ann = customer(session)
        for one in (tent.id, boots.id):
            did(session, ann, "view", NOW - 3 * DAY, product_id=one)
        did(session, ann, "view", NOW - HOUR, product_id=tent.id)
        bought = customer(session)
        put(session, order(session, bought, NOW - 400 * DAY), "TENT")
        twice_a_day, just_now, two = customer(session), customer(session), [customer(session), None]
        for somebody, ats in (
            (bought, (NOW - 3 * DAY, NOW - 2 * DAY)),
            (twice_a_day, (NOW - 3 * HOUR, NOW - 2 * HOUR)),
            (just_now, (NOW - 3 * DAY, NOW - 59 * MINUTE)),
            (two[0], (NOW - 3 * DAY,)),
            (two[1], (NOW - 3 * DAY, NOW - 2 * DAY)),
        ):
            for at in ats:
                did(session, somebody, "view", at, product_id=tent.id)
        (due,) = found(session, viewed)
        assert (due.customer_id, due.trigger_key, due.context) == (ann, f"viewed:{tent.id}", {"sku": "TENT"})
        enter(session, due)
        did(session, ann, "view", NOW - 2 * HOUR - DAY, product_id=tent.id)
        assert found(session, viewed) == []


def test_signed_up_finds_who_made_an_account(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = customer(session)
        did(session, ann, "signup", NOW - DAY)
        did(session, None, "signup", NOW - DAY)
        did(session, customer(session), "signup", NOW - 9 * DAY)
        (due,) = found(session, journey("signed_up"))
        assert (due.customer_id, due.trigger_key, due.anchor_at) == (ann, "signed_up", NOW - DAY)
        assert found(session, journey("signed_up", days=2)) == []


def wish(session: Session, sku: str, **more: Any) -> StockWish:
    product = stock(session, sku, more.pop("stock", 0))
    one = StockWish(product_id=product.id, source="site", **({"asked_at": NOW - 9 * DAY} | more))
    session.add(one)
    session.flush()
    return one


def test_back_in_stock_finds_who_waits_once_it_has_been_sold_out_and_is_not(engine: Engine) -> None:
    back = journey("back_in_stock")
    with session_scope(engine) as session:
        ann, bob = customer(session), customer(session)
        hers = wish(session, "TENT", customer_id=ann)
        wish(session, "BOOTS", customer_id=ann)
        # The site knew before us that it is sold out.
        his = wish(session, "SOCKS", customer_id=bob, stock=2, seen_out=False)
        bought = wish(session, "TENT", customer_id=bob)
        put(session, order(session, bob, NOW - DAY), "TENT")
        stock(session, "TENT", 3)
    with clock.freeze(NOW):
        tasks.see_stock(engine)
    with session_scope(engine) as session:
        (due,) = found(session, back)
        asked = int(hers.asked_at.timestamp())
        assert (due.customer_id, due.trigger_key) == (ann, f"wish:{hers.id}:{asked}")
        assert (due.anchor_at, due.context) == (NOW, {"sku": "TENT"})
        assert session.get_one(StockWish, bought.id).fulfilled_at == NOW
        stock(session, "TENT", 0)
        assert found(session, back) == []  # gone again before anybody was told
        stock(session, "SOCKS", 0)
    with clock.freeze(NOW):
        tasks.see_stock(engine)
        with session_scope(engine) as session:
            stock(session, "SOCKS", 1)
        tasks.see_stock(engine)
    with session_scope(engine) as session:
        assert [one.trigger_key.split(":")[1] for one in found(session, back)] == [str(his.id)]


def confirmed(session: Session, customer_id: int, at: datetime, purpose: str = "alerts") -> None:
    session.add(
        Subscription(
            mailbox_hash="",
            client_hash="",
            customer_id=customer_id,
            purposes=[purpose],
            language="en",
            wording_version="1",
            source="page",
            confirmed_at=at,
        )
    )


def test_a_wish_by_address_is_nobody_s_until_its_owner_confirms_it(engine: Engine) -> None:
    """Anybody can type an address: what its owner confirmed before says nothing about this wish."""
    with session_scope(engine) as session:
        people = {name: customer(session, email=f"{name}@example.com") for name in ("ann", "bob", "cid")}
        for name in people:
            wish(session, "TENT", email=f"{name}@example.com", asked_at=NOW - DAY)
        wish(session, "TENT", email="nobody@example.com", asked_at=NOW - DAY)
        wish(session, "TENT", customer_id=people["cid"], fulfilled_at=NOW - 2 * DAY)
        confirmed(session, people["ann"], NOW - 2 * DAY)
        confirmed(session, people["ann"], NOW - HOUR, "newsletter")
        confirmed(session, people["bob"], NOW - HOUR)
        confirmed(session, people["cid"], NOW - HOUR)
        stock(session, "TENT", 3)
    with clock.freeze(NOW):
        tasks.see_stock(engine)
    with session_scope(engine) as session:
        due = found(session, journey("back_in_stock"))
        assert {one.customer_id for one in due} == {people["bob"], people["cid"]}
    with clock.freeze(NOW + rules.CONFIRMED_WITHIN):
        tasks.forget(engine)
    with session_scope(engine) as session:
        assert {one.email for one in session.query(StockWish)} == {None}


def test_what_is_old_is_forgotten(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    with session_scope(engine) as session:
        tent = stock(session, "TENT")
        ann = customer(session)
        for days in (29, 31, 179, 181, 400):
            did(session, ann, "view", NOW - days * DAY, product_id=tent.id)
            did(session, None, "view", NOW - days * DAY, product_id=tent.id)
        for visitor in session.query(SiteVisitor):
            visitor.seen_at = NOW - 40 * DAY
        session.add(SiteVisitor(key_hash="lately", seen_at=NOW - DAY))
        wish(session, "TENT", customer_id=ann, asked_at=NOW - 366 * DAY)
        wish(session, "TENT", customer_id=customer(session), fulfilled_at=NOW - 31 * DAY)
        wish(session, "TENT", customer_id=customer(session), asked_at=NOW - 364 * DAY)
    with clock.freeze(NOW):
        assert tasks.forget(engine) == "6 events, 6 visitors, 2 wishes"
    with session_scope(engine) as session:
        kept = {(one.customer_id, one.day) for one in session.query(SiteEvent)}
        assert kept == {(ann, day(29)), (None, day(29)), (ann, day(31)), (ann, day(179))}
        assert session.query(StockWish).count() == 1


def day(days: int) -> date:
    return (NOW - days * DAY).date()
