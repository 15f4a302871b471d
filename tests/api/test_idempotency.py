"""The same Idempotency-Key: the same answer, one effect, whoever asks however often at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from rapport.api import answers, rules, tasks
from rapport.api.models import StoredAnswer
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.points import service as ledger
from tests.api.conftest import Caller
from tests.loyalty.threads import at_once


@pytest.fixture
def customer(engine: Engine) -> int:
    with session_scope(engine) as session:
        customer = Customer()
        session.add(customer)
        session.flush()
        return customer.id


def earn(customer: int, points: int = 100) -> dict[str, Any]:
    return {"customer": f"id:{customer}", "points": points, "reason": "welcome"}


def balance(engine: Engine, customer: int) -> int:
    with session_scope(engine) as session:
        return ledger.balance(session, customer)


def test_the_same_request_again_gets_the_same_answer(shop: Caller, engine: Engine, customer: int) -> None:
    first = shop.post("/points/earn", earn(customer), "k1")
    again = shop.post("/points/earn", earn(customer), "k1")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert answers.REPLAYED not in first.headers
    assert again.headers[answers.REPLAYED] == "true"
    assert balance(engine, customer) == 100
    other = shop.post("/points/earn", earn(customer), "k2")
    assert other.json()["balance"] == 200


def test_another_request_with_the_key_is_refused(shop: Caller, engine: Engine, customer: int) -> None:
    shop.post("/points/earn", earn(customer), "k1")
    for answer in (
        shop.post("/points/earn", earn(customer, 101), "k1"),
        shop.post("/points/burn", earn(customer), "k1"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert balance(engine, customer) == 100


def test_without_a_key_nothing_is_written(shop: Caller, engine: Engine, customer: int) -> None:
    headers = {"Authorization": f"Bearer {shop.key}"}
    answer = shop.client.post("/api/shop/v1/points/earn", json=earn(customer), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")
    assert shop.post("/points/earn", earn(customer), "two words").status_code == 422
    assert shop.post("/points/earn", earn(customer), "x" * 256).status_code == 422
    assert balance(engine, customer) == 0


def test_keys_of_two_programs_are_not_the_same(
    make_caller: Callable[..., Caller], engine: Engine, customer: int
) -> None:
    for name in ("one", "two"):
        assert make_caller(name).post("/points/earn", earn(customer), "k1").status_code == 200
    assert balance(engine, customer) == 200


def test_a_refusal_is_an_answer_too(shop: Caller, engine: Engine, customer: int) -> None:
    first = shop.post("/points/burn", earn(customer, 50), "k1")
    assert first.status_code == 409
    shop.post("/points/earn", earn(customer), "k2")
    again = shop.post("/points/burn", earn(customer, 50), "k1")
    assert (again.status_code, again.content) == (409, first.content)
    assert again.headers["content-type"] == "application/problem+json"
    assert balance(engine, customer) == 100
    assert shop.post("/points/burn", earn(customer, 50), "k3").status_code == 200


def test_a_failure_of_ours_is_not_kept(
    shop: Caller, engine: Engine, customer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "earn", fail)
        assert shop.post("/points/earn", earn(customer), "k1").status_code == 500
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(StoredAnswer)) == 0
    assert shop.post("/points/earn", earn(customer), "k1").status_code == 200
    assert balance(engine, customer) == 100


def test_eight_at_once_with_one_key_have_one_effect(shop: Caller, engine: Engine, customer: int) -> None:
    def send() -> httpx.Response:
        return shop.post("/points/earn", earn(customer), "k1")

    told = at_once(8, send)
    assert {(answer.status_code, answer.content) for answer in told} == {(200, told[0].content)}
    assert Counter(answers.REPLAYED in answer.headers for answer in told) == {False: 1, True: 7}
    assert balance(engine, customer) == 100


def test_eight_at_once_with_keys_of_their_own_all_count(shop: Caller, engine: Engine, customer: int) -> None:
    keys = iter("abcdefgh")
    told = at_once(8, lambda: shop.post("/points/earn", earn(customer), next(keys)))
    assert [answer.status_code for answer in told] == [200] * 8
    assert balance(engine, customer) == 800
    burnt = iter("ijklmnop")
    told = at_once(8, lambda: shop.post("/points/burn", earn(customer, 300), next(burnt)))
    assert Counter(answer.status_code for answer in told) == {200: 2, 409: 6}
    assert balance(engine, customer) == 200


def test_answers_are_kept_for_a_week(shop: Caller, engine: Engine, customer: int) -> None:
    shop.post("/points/earn", earn(customer), "k1")
    for late, left in ((rules.ANSWERS_KEPT - timedelta(minutes=1), 1), (rules.ANSWERS_KEPT * 2, 0)):
        with clock.freeze(clock.now() + late):
            tasks.forget(engine)
        with session_scope(engine) as session:
            assert session.scalar(select(func.count()).select_from(StoredAnswer)) == left
    # Even then the ledger knows the key: nothing is credited twice.
    assert shop.post("/points/earn", earn(customer), "k1").json()["balance"] == 100
