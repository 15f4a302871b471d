""" "Why did I get this?": each part of the answer is what stands in the rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine, select

from rapport.customers.models import ConsentEvent, Customer, Interest
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers import service, tasks
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.points import service as ledger
from rapport.value.models import CustomerValue
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import DAY, NOW


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


def test_an_asked_for_code_is_explained_by_the_rows(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = shop.customer(session, likes=["tents", "boots", "climbing"])
        for _ in range(3):
            shop.order(session, ann)
        shop.order(session, ann, status="cancelled")
        run_id = shop.valued(session, ann, "promising", (4, 3, 2))
        shop.consent(session, ann)
        shop.offer(
            session,
            "campers",
            percent=12,
            minimum_minor=50_000,
            max_discount_minor=30_000,
            min_orders=2,
            max_orders=9,
            stages=["trust", "interest"],
            segments=["promising", "loyal"],
            tiers=[ledger.tier(session, ann, NOW).key],
            interests=["tents", "climbing", "skiing"],
        )
        given = service.offer_discount(session, ann, "c:1")
        assert given is not None
    with session_scope(engine) as session:
        why = service.explain(session, ann)
        assert why is not None
        assert service.explain_code(session, ann, given.code.lower()) == why
        coupon = session.scalars(select(Coupon)).one()
        offer = session.scalars(select(Offer)).one()
        worth = session.get_one(CustomerValue, ann)
        assert (why.code, why.kind, why.percent) == (coupon.code, coupon.kind, coupon.percent)
        assert (why.issued_at, why.expires_at) == (coupon.issued_at, coupon.expires_at)
        assert (why.minimum_minor, why.max_discount_minor) == (offer.minimum_minor, offer.max_discount_minor)
        assert (why.offer_key, why.offer_name, why.occasion) == (offer.key, offer.name, offer.occasion)
        assert (why.min_orders, why.max_orders) == (offer.min_orders, offer.max_orders)
        assert why.rule_stages == tuple(offer.audience["stages"])
        assert why.rule_segments == tuple(offer.audience["segments"])
        assert why.rule_tiers == tuple(offer.audience["tiers"])
        assert why.rule_interests == tuple(offer.audience["interests"])
        assert why.stage == session.get_one(Customer, ann).stage
        assert why.orders == 3
        assert (why.segment, why.method) == (worth.segment, worth.method)
        assert why.scores == (worth.recency, worth.frequency, worth.monetary)
        assert (why.computed_at, why.run_id) == (worth.computed_at, worth.run_id)
        assert why.run_id == run_id
        assert why.tier == ledger.tier(session, ann, NOW).key
        liked = session.scalars(select(Interest.topic).where(Interest.customer_id == ann))
        assert set(why.interests) == set(liked) & set(offer.audience["interests"]) == {"tents", "climbing"}
        # They asked: the code rests on that, not on any consent, though there is one.
        assert (why.asked, why.consent) == (True, None)


def test_the_answer_is_of_when_it_was_given(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = shop.customer(session)
        shop.offer(session, "welcome")
        service.offer_discount(session, ann)
        before = service.explain(session, ann)
        session.get_one(Customer, ann).stage = "know"
        shop.order(session, ann)
        shop.valued(session, ann, "lost", (1, 1, 1))
        session.scalars(select(Offer)).one().name = "Another"
        session.flush()
        assert service.explain(session, ann) == before
        assert before is not None
        assert (before.segment, before.scores, before.orders, before.run_id) == (None, None, 0, None)


def test_a_present_rests_on_the_consent_of_that_day(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = shop.customer(session, birthday=date(1990, 5, 3))
        shop.consent(session, ann, at=NOW - 99 * DAY)
        shop.consent(session, ann, granted=False, at=NOW - 50 * DAY)
        consent_id = shop.consent(session, ann, at=NOW - 9 * DAY)
        shop.offer(session, "birthday", occasion="birthday", amount_minor=5_000, per_customer=0)
        tasks.run(session, NOW)
        shop.consent(session, ann, granted=False, at=NOW)
    with session_scope(engine) as session:
        why = service.explain(session, ann)
        assert why is not None
        assert (why.asked, why.occasion, why.amount_minor) == (False, "birthday", 5_000)
        event = session.get_one(ConsentEvent, consent_id)
        assert why.consent == service.Consent(
            event.id, event.purpose, event.channel, event.wording_version, event.source, event.at
        )
        assert event.granted


def test_nobody_is_told_of_anothers_code(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann, ben = shop.customer(session), shop.customer(session)
        shop.offer(session, "welcome")
        given = service.offer_discount(session, ann)
        assert given is not None
        assert service.explain(session, ben) is None
        assert service.explain_code(session, ben, given.code) is None
        assert service.explain_code(session, ann, "FJ-AAAA-AAAA") is None


def test_what_was_used_is_explained_by_its_code_and_what_ran_out_no_more(engine: Engine) -> None:
    """The bot may speak of a used code; one that is good for nothing the gate would not let through."""
    with session_scope(engine) as session:
        ann = shop.customer(session)
        shop.offer(session, "welcome", valid_days=3)
        given = service.offer_discount(session, ann)
        assert given is not None
        with clock.freeze(NOW + 3 * DAY):
            assert service.explain(session, ann) is None
            assert service.explain_code(session, ann, given.code) is None
        service.redeem(session, given.code, key="k", order_minor=100_000, currency="NOK")
        with clock.freeze(NOW + 3 * DAY):
            assert service.explain(session, ann) is None
            assert service.explain_code(session, ann, given.code) is not None
