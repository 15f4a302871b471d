"""How far a key reaches: one system's orders, and codes of customers it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from rapport.api import rules, service
from rapport.kit.database import session_scope
from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import Settings
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.points import service as ledger
from rapport.shop.models import Order, Product
from tests.api.conftest import Caller
from tests.connectors.happenings import ANN, ORDER, PLACED_AT, TOTAL, ann, coupon_of

Body = dict[str, Any]
BASKET: Body = {"order_minor": TOTAL, "currency": "NOK"}


def told(**more: Any) -> Body:
    at = PLACED_AT.isoformat().replace("+00:00", "Z")
    return {"kind": "placed", "event_id": "e-1", "number": "FJ-20017", "at": at, "order": ORDER} | more


@pytest.fixture
def code(engine: Engine) -> str:
    """A code of Ann's that is good now."""
    with session_scope(engine) as session:
        made = coupon_of(session, ann(session))
        coupon = session.scalars(select(Coupon)).one()
        coupon.expires_at = coupon.expires_at.replace(year=2100)
        return made


@pytest.mark.parametrize("source", ["woocommerce", "shopify", "till", "id", "email"])
def test_a_key_tells_of_its_own_orders_only(shop: Caller, engine: Engine, source: str) -> None:
    assert shop.done("/orders/events", told())["status"] == "applied"
    answer = shop.post("/orders/events", told(event_id="e-2", source=source))
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert shop.done("/orders/events", told(source="shop"))["status"] == "repeated"
    with session_scope(engine) as session:
        assert session.scalars(select(Order.source)).all() == ["shop"]


def test_another_program_has_orders_of_its_own(
    shop: Caller, make_caller: Callable[..., Caller], engine: Engine, settings: Settings
) -> None:
    shop.done("/orders/events", told())
    with session_scope(engine) as session:
        secret = settings.secret_key.get_secret_value()
        key = service.create_key(session, secret, "The Till (2)", rules.SCOPES)
    till = make_caller("other")
    till.key = key
    till.done("/orders/events", told(order=ORDER | {"total_minor": 1}))
    with session_scope(engine) as session:
        rows = session.execute(select(Order.source, Order.total_minor).order_by(Order.id)).all()
        assert [tuple(row) for row in rows] == [("shop", TOTAL), ("the-till-2", 1)]


@pytest.mark.parametrize("name", ["woocommerce", "Shopify", "email", "!!!"])
def test_some_names_no_key_may_speak_for(engine: Engine, name: str) -> None:
    with session_scope(engine) as session:
        with pytest.raises(InvalidInputError, match="--source"):
            service.create_key(session, "s" * 32, name, rules.SCOPES)
        with pytest.raises(InvalidInputError, match="--source"):
            service.create_key(session, "s" * 32, "till", rules.SCOPES, "Not One")
        service.create_key(session, "s" * 32, name, rules.SCOPES, "till")


def test_a_code_is_held_and_used_for_somebody(shop: Caller, engine: Engine, code: str) -> None:
    checked = shop.done(f"/coupons/{code}/check", BASKET)
    assert (checked["discount_minor"], checked["depends_on_customer"]) == (TOTAL // 10, True)
    named = BASKET | {"customer": f"shop:{ANN['id']}"}
    assert shop.done(f"/coupons/{code}/check", named)["depends_on_customer"] is False
    for path, body in (("hold", BASKET | {"basket": "b"}), ("redeem", BASKET)):
        answer = shop.post(f"/coupons/{code}/{path}", body)
        assert answer.status_code == 422
        assert "customer" in answer.text
    with session_scope(engine) as session:
        assert session.scalars(select(Coupon.state)).one() == "issued"
    assert shop.done(f"/coupons/{code}/redeem", named)["state"] == "redeemed"


def test_a_code_looks_after_the_margin_of_the_goods_it_is_told_of(
    shop: Caller, engine: Engine, code: str
) -> None:
    with session_scope(engine) as session:
        session.execute(update(Coupon).values(keep_margin=True))
        session.add(Product(sku="FJ-TENT-2", price_minor=TOTAL, cost_minor=TOTAL - 1_000, currency="NOK"))
        session.add(Product(sku="FJ-DEAR", price_minor=TOTAL, cost_minor=TOTAL, currency="NOK"))
    named = BASKET | {"customer": f"shop:{ANN['id']}"}
    bare = shop.done(f"/coupons/{code}/check", named)
    assert bare["discount_minor"] == TOTAL // 10
    kept = shop.done(f"/coupons/{code}/check", named | {"items": [{"sku": "FJ-TENT-2", "quantity": 1}]})
    assert kept["discount_minor"] == 1_000
    dear = named | {"items": [{"sku": "FJ-DEAR", "quantity": 1}], "basket": "b"}
    for path in ("hold", "redeem"):
        answer = shop.post(f"/coupons/{code}/{path}", dear)
        assert (answer.status_code, answer.json()["reason"]) == (409, "margin")


def test_an_account_with_a_typed_address_gets_nobodys_points(shop: Caller, engine: Engine) -> None:
    with session_scope(engine) as session:
        owner = ann(session)
        ledger.earn(session, owner, 500, key="gift", reason="gift")
    mallory = ORDER | {"customer": {"id": "7", "email": ANN["email"]}}
    shop.done("/orders/events", told(order=mallory))
    assert shop.get("/customers/shop:7/points").json()["available"] == 0
    answer = shop.post("/points/burn", {"customer": "shop:7", "points": 500, "reason": "till"})
    assert answer.status_code == 409
    guest = ORDER | {"customer": {"email": ANN["email"]}, "points": {"points": 500}}
    answer = shop.post("/orders/events", told(event_id="e-2", number="FJ-2", order=guest))
    assert (answer.status_code, "order.points" in answer.json()["detail"]) == (409, True)
    assert shop.get(f"/customers/shop:{ANN['id']}/points").json()["available"] == 500
