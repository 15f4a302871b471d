"""Who gets in: keys, scopes, limits, and that no page of a browser does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.api import rules, service
from rapport.api.models import ApiKey
from rapport.api.service import Caller as Known
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError, UnauthorizedError
from rapport.kit.settings import Settings
from tests.api.conftest import BASE, Caller, new_key
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

SECRET = "a-secret-of-the-installation-0123456789"
EARN = {"customer": "id:1", "points": 1, "reason": "test"}


def make(engine: Engine, name: str = "webshop", scopes: tuple[str, ...] = rules.SCOPES) -> str:
    with session_scope(engine) as session:
        return service.create_key(session, SECRET, name, scopes)


def known(engine: Engine, key: str, secret: str = SECRET) -> Known:
    with read_scope(engine) as session:
        return service.caller(session, secret, key)


def test_a_key_is_kept_as_a_hash_only(engine: Engine) -> None:
    key = make(engine)
    with session_scope(engine) as session:
        stored = session.scalars(select(ApiKey)).one()
        assert key.startswith(stored.prefix)
        secret_part = key.removeprefix(stored.prefix)
        assert len(secret_part) == 44
        assert secret_part[1:] not in repr(vars(stored))
    assert known(engine, key).name == "webshop"


def test_every_wrong_key_is_wrong_in_the_same_words(engine: Engine) -> None:
    key, gone = make(engine), make(engine, "old")
    with session_scope(engine) as session:
        service.revoke_key(session, "old")
    wrong = [
        "",
        "x",
        key[:-1],
        key[:-1] + ("A" if key[-1] != "A" else "B"),
        key.upper(),
        key + "A",
        f"rk_aaaaaaaa_{'A' * 43}",
        gone,
        "ø" * 55,
    ]
    said = set()
    for presented in wrong:
        with pytest.raises(UnauthorizedError) as refused:
            known(engine, presented)
        said.add(str(refused.value))
    assert said == {service.WRONG_KEY}
    with pytest.raises(UnauthorizedError):
        known(engine, key, secret="another installation's secret 0123456789")


def test_names_are_given_once_and_scopes_are_known(engine: Engine) -> None:
    make(engine)
    with pytest.raises(ConflictError):
        make(engine)
    with pytest.raises(InvalidInputError):
        make(engine, "other", ("everything",))
    with pytest.raises(InvalidInputError):
        make(engine, "other", ())
    with pytest.raises(NotFoundError), session_scope(engine) as session:
        service.revoke_key(session, "nobody")


def test_the_last_use_is_known_to_ten_minutes(shop: Caller, engine: Engine) -> None:
    def last() -> object:
        with session_scope(engine) as session:
            return session.scalars(select(ApiKey.last_used_at)).one()

    start = clock.now()
    assert last() is None
    for minutes, noted in ((0, 0), (9, 0), (10, 10)):
        with clock.freeze(start + timedelta(minutes=minutes)):
            shop.get("/customers/id:1/points")
            assert last() == start + timedelta(minutes=noted)


def test_without_a_key_nobody_is_told_more(app: RunningApp) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer x"},
    ):
        for answer in (
            app.client.get(f"{BASE}/customers/id:1/points", headers=headers),
            app.client.post(f"{BASE}/points/earn", headers=headers),
            app.client.post(f"{BASE}/points/earn", json={"wrong": 1}, headers=headers),
        ):
            assert answer.status_code == 401
            assert answer.json()["detail"] == service.WRONG_KEY
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_goes_as_far_as_its_scopes(make_caller: Callable[..., Caller]) -> None:
    calls = {
        "orders": lambda c: c.post("/orders/events", {}),
        "coupons": lambda c: c.post("/coupons/FJ-AAAA-BBBB/redeem", {}),
        "points": lambda c: c.post("/points/earn", {}),
        "read": lambda c: c.get("/customers/id:1/points"),
    }
    for scope in rules.SCOPES:
        caller = make_caller(f"only {scope}", scope)
        for needed, call in calls.items():
            answer = call(caller)
            if needed == scope:
                assert answer.status_code in {404, 422}, answer.text
            else:
                assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
                assert needed in answer.json()["detail"]


@pytest.fixture
def limited(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> object:
    monkeypatch.setattr(rules, "REQUESTS_PER_MINUTE", 5)
    monkeypatch.setattr(rules, "WRONG_KEYS_PER_MINUTE", 3)
    running = RunningApp(settings, sqlite_engine, rasa, rate_limits=True)
    yield running
    running.stop()


def test_each_key_has_its_own_limit(limited: RunningApp, settings: Settings, sqlite_engine: Engine) -> None:
    one, two = (Caller(limited, new_key(settings, sqlite_engine, name)) for name in ("one", "two"))
    statuses = [one.post("/points/earn", EARN).status_code for _ in range(7)]
    assert statuses == [404] * 5 + [429] * 2
    refused = one.get("/customers/id:1/points")
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert two.get("/customers/id:1/points").status_code == 404


def test_guessing_keys_is_slowed_down_and_right_ones_are_not(
    limited: RunningApp, settings: Settings, sqlite_engine: Engine
) -> None:
    guesser = Caller(limited, f"rk_aaaaaaaa_{'A' * 43}")
    assert [guesser.get("/customers/id:1/points").status_code for _ in range(5)] == [401] * 3 + [429] * 2
    right = Caller(limited, new_key(settings, sqlite_engine, "one"))
    assert right.get("/customers/id:1/points").status_code == 404


def test_pages_of_other_sites_get_nowhere(app: RunningApp) -> None:
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for path in (f"{BASE}/orders/events", f"{BASE}/openapi.json", "/webhooks/woocommerce"):
        asked = app.client.options(
            path, headers=origin | {"Access-Control-Request-Headers": "authorization,idempotency-key"}
        )
        answered = app.client.get(path, headers=origin)
        for answer in (asked, answered):
            assert not [name for name in answer.headers if name.startswith("access-control-")]
    # The chat stays open to the pages it is on.
    chat = app.client.options("/api/chat/sessions", headers=origin)
    assert chat.headers["access-control-allow-origin"] == "*"


def test_errors_are_problems(shop: Caller, app: RunningApp) -> None:
    for answer, status in (
        (shop.get("/nothing"), 404),
        (app.client.delete(f"{BASE}/orders/events"), 405),
        (shop.post("/points/earn", EARN), 404),
        (shop.post("/points/earn", EARN | {"points": 0}), 422),
        (shop.post("/points/earn", EARN | {"point": 5}), 422),
        (shop.post("/orders/events", {"x": "y" * 600_000}), 413),
    ):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_what_is_wrong_is_named(shop: Caller) -> None:
    order = {"currency": "NOK", "total_minor": -5, "items": []}
    body = {"kind": "placed", "event_id": "1", "number": "1", "at": "2026-05-04T09:30:00Z", "order": order}
    answer = shop.post("/orders/events", body)
    assert answer.status_code == 422
    assert "order.total_minor" in answer.json()["detail"]
