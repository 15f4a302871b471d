"""A shop's whole story over HTTP, with a key made by the command; told twice it is the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select

from rapport.api.models import ApiKey
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.loyalty.offers import audit
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.points import service as ledger
from tests.api.conftest import BASE, Caller
from tests.cli import running
from tests.connectors.fake_shops import WOO_SECRET, WooCommerce, woo_order
from tests.connectors.happenings import ANN, ORDER, PLACED_AT, TOTAL, coupon_of, sound, the_order
from tests.fake_rasa import FakeRasa
from tests.loyalty.threads import at_once
from tests.running import RunningApp, until

Body = dict[str, Any]


def rapport(engine: Engine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the test's own database, as its owner does."""
    url = engine.url.render_as_string(hide_password=False)
    return running.rapport(*arguments, RAPPORT_DATABASE_URL=url)


@pytest.fixture(autouse=True)
def some_days_later() -> Iterator[None]:
    """The story is told while its code is still good."""
    with clock.freeze(PLACED_AT + timedelta(days=6)):
        yield


def told(kind: str, hours: float, **more: Any) -> Body:
    at = (PLACED_AT + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    return {"kind": kind, "event_id": f"{kind}-{hours}", "number": "FJ-20017", "at": at} | more


def test_from_the_key_to_the_refund(app: RunningApp, engine: Engine) -> None:
    made = rapport(engine, "api-key", "create", "webshop", "--source", "shop")
    assert made.returncode == 0, made.stderr
    shop = Caller(app, made.stdout.strip())
    listed = rapport(engine, "api-key", "list").stdout
    assert "webshop" in listed
    assert shop.key not in listed

    # Somebody is known, has points, and was given a code in the chat.
    first = told("paid", -900, number="FJ-1", order=ORDER | {"placed_at": "2026-03-27T12:00:00Z"})
    customer = shop.done("/orders/events", first)["customer"]
    earned = shop.done("/points/earn", {"customer": customer, "points": 500, "reason": "open-day"})
    assert earned["balance"] == 500
    with session_scope(engine) as session:
        code = coupon_of(session, int(customer.removeprefix("id:")))

    basket = {"order_minor": TOTAL, "currency": "NOK", "customer": customer}
    quote = shop.done(f"/coupons/{code}/check", basket)
    assert (quote["discount_minor"], quote["state"]) == (TOTAL // 10, "issued")
    held = shop.done(f"/coupons/{code}/hold", basket | {"basket": "b-77"})
    assert held["state"] == "held"
    elsewhere = shop.post(f"/coupons/{code}/redeem", basket | {"basket": "b-78"})
    assert (elsewhere.status_code, elsewhere.json()["reason"]) == (409, "held")
    points = shop.done("/points/hold", {"customer": customer, "points": 200})
    assert points["balance"] == 300

    paid_minor = TOTAL - TOTAL // 10
    order = ORDER | {
        "total_minor": paid_minor,
        "coupons": [code],
        "basket": "b-77",
        "points": {"hold": points["key"]},
    }
    refund = {"reference": "r-1", "amount_minor": paid_minor // 2, "reason": "Too small"}
    story: list[tuple[str, Body, str]] = [
        ("/orders/events", told("placed", 0, order=order), "k-placed"),
        ("/orders/events", told("paid", 1), "k-paid"),
        ("/orders/events", told("delivered", 72), "k-delivered"),
        ("/orders/events", told("refunded", 100, refund=refund), "k-refunded"),
    ]
    answers = [shop.done(*step) for step in story]
    assert answers[0]["coupons"] == [{"code": code, "outcome": "redeemed"}]
    assert [answer["order_status"] for answer in answers] == ["placed", "paid", "delivered", "delivered"]
    earned_points = paid_minor // 1000
    kept_points = (paid_minor - paid_minor // 2) // 1000
    assert [answer["points"] for answer in answers] == [0, earned_points, 0, kept_points - earned_points]

    statement = shop.get(f"/customers/{customer}/points").json()
    assert (statement["available"], statement["held"], statement["debt"]) == (400, 0, 0)
    assert statement["pending"] == TOTAL // 1000 + kept_points
    worth = shop.get(f"/customers/shop:{ANN['id']}/value").json()
    assert (worth["stage"], worth["orders"]) == ("trust", 2)

    before = snapshot(engine)
    for step in story:  # the same requests, word for word
        assert shop.post(*step).headers["Idempotency-Replayed"] == "true"
    for path, body, key in story:  # and the same events in new ones
        assert shop.done(path, body, key + "-again")["status"] == "repeated"
    assert snapshot(engine) == before

    # Sent back altogether: the code is good again, the points paid with are back.
    rest = {"reference": "r-2", "amount_minor": paid_minor - paid_minor // 2}
    last = shop.done("/orders/events", told("refunded", 120, refund=rest))
    assert (last["order_status"], last["coupons"]) == (
        "refunded",
        [{"code": code, "outcome": "rolled_back"}],
    )
    statement = shop.get(f"/customers/{customer}/points").json()
    assert (statement["available"], statement["pending"]) == (500, TOTAL // 1000)
    with session_scope(engine) as session:
        assert sound(session)
        assert audit.find(session) == []

    assert rapport(engine, "api-key", "revoke", "webshop").returncode == 0
    assert shop.get(f"/customers/{customer}/points").status_code == 401
    with session_scope(engine) as session:
        assert session.scalars(select(ApiKey.last_used_at)).one() is not None


def snapshot(engine: Engine) -> tuple[Any, ...]:
    with session_scope(engine) as session:
        order = the_order(session)
        assert order.customer_id is not None
        return (
            order.status,
            sorted((refund.reference, refund.amount_minor) for refund in order.refunds),
            ledger.statement(session, order.customer_id),
            session.execute(select(Coupon.state, Coupon.order_id)).all(),
        )


def test_a_code_redeemed_at_the_checkout_belongs_to_the_order_that_is_told_of_later(
    shop: Caller, engine: Engine
) -> None:
    customer = shop.done("/orders/events", told("placed", 0, number="FJ-1", order=ORDER))["customer"]
    with session_scope(engine) as session:
        code = coupon_of(session, int(customer.removeprefix("id:")))
    used = shop.done(
        f"/coupons/{code}/redeem", {"order_minor": TOTAL, "currency": "NOK", "customer": customer}
    )
    assert used["state"] == "redeemed"
    order = ORDER | {"coupons": [code]}
    answer = shop.done("/orders/events", told("placed", 1, order=order))
    assert answer["coupons"] == [{"code": code, "outcome": "redeemed"}]
    answer = shop.done("/orders/events", told("cancelled", 2))
    assert answer["coupons"] == [{"code": code, "outcome": "rolled_back"}]


def test_holding_releasing_and_undoing(shop: Caller, engine: Engine) -> None:
    customer = shop.done("/orders/events", told("placed", 0, order=ORDER))["customer"]
    with session_scope(engine) as session:
        code = coupon_of(session, int(customer.removeprefix("id:")))
    basket = {"order_minor": TOTAL, "currency": "NOK", "customer": customer}
    shop.done(f"/coupons/{code}/hold", basket | {"basket": "b-1"})
    assert shop.post(f"/coupons/{code}/release", {"basket": "b-2"}).json()["reason"] == "not_held"
    assert shop.done(f"/coupons/{code}/release", {"basket": "b-1"})["state"] == "issued"
    shop.done(f"/coupons/{code}/redeem", basket)
    assert shop.post(f"/coupons/{code}/redeem", basket).json()["reason"] == "used"
    assert shop.done(f"/coupons/{code}/rollback", {"reason": "order cancelled"})["state"] == "issued"

    shop.done("/points/earn", {"customer": customer, "points": 100, "reason": "gift"})
    hold = shop.done("/points/hold", {"customer": customer, "points": 60})["key"]
    assert shop.post("/points/hold", {"customer": customer, "points": 60}).status_code == 409
    assert shop.done("/points/release", {"hold": hold})["balance"] == 100
    hold = shop.done("/points/hold", {"customer": customer, "points": 60})["key"]
    assert shop.done("/points/capture", {"hold": hold})["balance"] == 40
    assert shop.post("/points/release", {"hold": hold}).status_code == 409
    assert shop.post("/points/capture", {"hold": "nothing"}).status_code == 404
    assert shop.done("/points/burn", {"customer": customer, "points": 40, "reason": "till"})["balance"] == 0
    with session_scope(engine) as session:
        assert sound(session)


def test_a_customer_is_found_by_each_of_their_names(shop: Caller) -> None:
    shop.done("/orders/events", told("placed", 0, order=ORDER))
    for name in ("id:1", f"shop:{ANN['id']}", "email:Ann@Customer.example"):
        assert shop.get(f"/customers/{name}/points").status_code == 200
    for name in ("id:2", "id:999999999", "till:c-1042", "email:no@customer.example", "email:x"):
        assert shop.get(f"/customers/{name}/points").status_code == 404
    for name in ("ann", "id:x%00", "SHOP:1"):
        assert shop.get(f"/customers/{name}/points").status_code in {404, 422}


@pytest.mark.parametrize("kinds", [("delivered", "placed"), ("placed", "delivered")])
def test_an_event_that_comes_first_waits(shop: Caller, kinds: tuple[str, ...]) -> None:
    bodies = {"placed": told("placed", 0, order=ORDER), "delivered": told("delivered", 72)}
    answers = [shop.done("/orders/events", bodies[kind]) for kind in kinds]
    assert answers[0]["status"] == ("waiting" if kinds[0] == "delivered" else "applied")
    assert answers[1]["order_status"] == "delivered"


def test_eight_programs_spend_the_same_points_once(
    make_caller: Callable[..., Caller], engine: Engine
) -> None:
    callers = [make_caller(f"till {n}") for n in range(8)]
    customer = callers[0].done("/orders/events", told("placed", 0, order=ORDER))["customer"]
    callers[0].done("/points/earn", {"customer": customer, "points": 100, "reason": "gift"})
    left = iter(callers)
    statuses = at_once(
        8,
        lambda: (
            next(left)
            .post("/points/burn", {"customer": customer, "points": 30, "reason": "till"})
            .status_code
        ),
    )
    assert sorted(statuses) == [200] * 3 + [409] * 5
    with session_scope(engine) as session:
        assert ledger.balance(session, 1) == 10
        assert sound(session)


def test_the_page_is_readable_without_anything_from_elsewhere(app: RunningApp) -> None:
    page = app.client.get(f"{BASE}/docs")
    assert page.status_code == 200
    assert "script" not in page.text.lower()
    assert "http" not in page.text.replace("https://datatracker", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for word in ("POST /api/shop/v1/orders/events", "Idempotency-Key", "PaidBack", "unit_price_minor"):
        assert word in page.text
    assert app.client.get(f"{BASE}/docs.css").headers["content-type"].startswith("text/css")


def test_the_command_lists_what_shops_sent(sqlite_engine: Engine, settings: Settings, rasa: FakeRasa) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, woocommerce_secret=SecretStr(WOO_SECRET))
    try:
        WooCommerce(running.client).send("order.created", woo_order(total="a lot"))
        listed = until(
            lambda: text if "failed" in (text := rapport(sqlite_engine, "webhooks", "list").stdout) else "",
            20,
        )
    finally:
        running.stop()
    assert "total: is no amount" in listed
    assert rapport(sqlite_engine, "webhooks", "list", "--status", "applied").stdout.startswith("No such")
    retried = rapport(sqlite_engine, "webhooks", "retry")
    assert retried.returncode == 0, retried.stderr
    assert "1 deliveries tried again" in retried.stdout
    missing = rapport(sqlite_engine, "webhooks", "retry", "99")
    assert (missing.returncode, "99" in missing.stderr) == (1, True)


def test_keys_are_made_with_the_scopes_asked_for(tmp_path: Path, sqlite_engine: Engine) -> None:
    made = rapport(sqlite_engine, "api-key", "create", "till", "-s", "points", "-s", "read")
    assert made.returncode == 0
    assert len(made.stdout.strip().splitlines()) == 1
    with session_scope(sqlite_engine) as session:
        assert session.scalars(select(ApiKey.scopes)).one() == ["points", "read"]
    for wrong in (("till",), ("x", "-s", "everything"), (" ",)):
        refused = rapport(sqlite_engine, "api-key", "create", *wrong)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Traceback" not in refused.stderr
