"""Eight threads at once doing whatever they like: caps, budgets and single use hold, the books are right."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError
from rapport.loyalty.offers import audit, service, tasks
from rapport.loyalty.offers.models import Coupon, CouponEvent, Offer
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import DAY, NOW
from tests.loyalty.threads import at_once

THREADS = 8
STEPS = 12


def _world(engine: Engine, cap: int | None, budget: int | None, per_customer: int) -> list[int]:
    """Six customers and two offers with little to give."""
    with session_scope(engine) as session:
        for table in (CouponEvent, Coupon, Offer):
            session.execute(delete(table))
        shop.offer(
            session,
            "percent",
            percent=50,
            max_discount_minor=3_000,
            cap=cap,
            budget_minor=budget,
            per_customer=per_customer,
            valid_days=2,
        )
        shop.offer(
            session, "amount", amount_minor=1_000, cap=cap, budget_minor=budget, per_customer=per_customer
        )
        return [shop.customer(session) for _ in range(6)]


def _step(engine: Engine, dice: random.Random, people: list[int], name: str) -> str:
    """One thing a customer, a shop or the worker does; what came of it."""
    action = dice.choice(["ask", "ask", "hold", "redeem", "redeem", "release", "rollback", "revoke", "work"])
    try:
        with session_scope(engine) as session:
            if action == "ask":
                return f"ask {service.offer_discount(session, dice.choice(people)) is not None}"
            if action == "work":
                tasks.run(session, NOW + dice.choice([0, 4]) * DAY)
                return action
            codes = session.scalars(select(Coupon.code)).all()
            if not codes:
                return "nothing"
            code, key = dice.choice(codes), f"{name}:{dice.randrange(6)}"
            match action:
                case "hold" | "redeem":
                    minor = dice.choice([100, 1_000, 9_000])
                    at = NOW + dice.choice([0, 1, 3]) * DAY
                    getattr(service, action)(
                        session, code, key=key, order_minor=minor, currency="NOK", holder="basket", at=at
                    )
                case "release":
                    service.release(session, code, key=key, holder="basket")
                case _:
                    getattr(service, action)(session, code, key=key, reason="test")
            return action
    except ConflictError as error:
        return f"{action} refused: {type(error).__name__}"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_whatever_eight_threads_do_the_books_are_right(kind: str, request: pytest.FixtureRequest) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    seen: Counter[str] = Counter()

    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.integers(0, 2**32),
        st.none() | st.integers(0, 6),
        st.sampled_from([3_000, 7_000, 12_500]),
        st.integers(1, 3),
    )
    def interleave(seed: int, cap: int | None, budget: int, per_customer: int) -> None:
        people = _world(engine, cap, budget, per_customer)
        names = [f"t{number}" for number in range(THREADS)]

        def work() -> None:
            name = names.pop()
            dice = random.Random(f"{seed}{name}")
            for _ in range(STEPS):
                seen[_step(engine, dice, people, name)] += 1

        with clock.freeze(NOW):
            at_once(THREADS, work)
        _check(engine, per_customer)

    interleave()
    assert {"ask True", "redeem", "rollback", "hold"} <= set(seen), seen


def _check(engine: Engine, per_customer: int) -> None:
    with session_scope(engine) as session:
        assert audit.find(session) == []
        for coupon in session.scalars(select(Coupon)):
            assert (coupon.discount_minor or 0) <= 3_000
        used = Counter(
            (coupon.offer_id, coupon.customer_id)
            for coupon in session.scalars(
                select(Coupon).where(Coupon.state.in_(["redeemed", "issued", "held"]))
            )
        )
        assert max(used.values(), default=0) <= per_customer
        for coupon_id, minor in session.execute(
            select(CouponEvent.coupon_id, CouponEvent.discount_minor - CouponEvent.order_minor).where(
                CouponEvent.kind == "redeemed"
            )
        ):
            assert minor <= 0, coupon_id


def test_one_code_is_used_once_however_many_try(engine: Engine) -> None:
    with clock.freeze(NOW):
        [customer_id, *_] = _world(engine, None, None, 1)
        with session_scope(engine) as session:
            discount = service.offer_discount(session, customer_id)
            assert discount is not None
        keys = [f"order {number}" for number in range(24)]

        def use() -> bool:
            key = keys.pop()
            try:
                with session_scope(engine) as session:
                    service.redeem(session, discount.code, key=key, order_minor=5_000, currency="NOK")
            except ConflictError:
                return False
            return True

        assert at_once(24, use).count(True) == 1
        with session_scope(engine) as session:
            assert audit.find(session) == []
            kinds = Counter(session.scalars(select(CouponEvent.kind)))
        assert kinds == {"issued": 1, "redeemed": 1, "refused": 23}


def test_the_same_call_twenty_times_at_once_is_one(engine: Engine) -> None:
    with clock.freeze(NOW):
        [customer_id, *_] = _world(engine, None, None, 1)
        with session_scope(engine) as session:
            discount = service.offer_discount(session, customer_id)
            assert discount is not None

        def use() -> bool:
            with session_scope(engine) as session:
                return service.redeem(
                    session, discount.code, key="k", order_minor=5_000, currency="NOK"
                ).repeated

        assert at_once(20, use).count(False) == 1
