"""Who begins a journey because of who they are, what they were given or what was settled; both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers.models import ConsentEvent
from rapport.kit.database import session_scope
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.points.models import Account, Lot
from rapport.outreach.journeys import still, triggers
from rapport.outreach.journeys.triggers import base, points_end, refill
from rapport.outreach.journeys.words import NoWordsError
from rapport.value.models import CustomerValue
from tests.loyalty.offers.shop import DAY, NOW, complaint, consent, customer, offer, order, product
from tests.outreach.journeys.triggers.finding import enter, found, journey, put

SECOND = timedelta(seconds=1)
OSLO = ZoneInfo("Europe/Oslo")


def worth(session: Session, customer_id: int, **values: Any) -> None:
    """What a customer is worth, as far as the test says it."""
    rest = {"orders": 3, "buying_days": 3, "revenue_minor": 1, "costed_minor": 0, "margin_minor": 0}
    last = {"last_order_at": NOW - 90 * DAY}
    session.add(CustomerValue(customer_id=customer_id, **(rest | last | values)))
    session.flush()


def test_subscribed_welcomes_once_and_not_who_came_with_a_file(engine: Engine) -> None:
    welcome = journey("subscribed")
    with session_scope(engine) as session:
        ann, bob, eva, old = (customer(session) for _ in range(4))
        consent(session, ann, at=NOW)
        consent(session, ann, granted=False, at=NOW - DAY)
        consent(session, old, at=NOW - 7 * DAY)
        consent(session, bob, granted=False, at=NOW)
        session.get_one(ConsentEvent, consent(session, eva, at=NOW)).wording_version = "imported"
        consent(session, customer(session), at=NOW + SECOND)
        due = found(session, welcome)
        assert [(one.customer_id, one.trigger_key, one.anchor_at) for one in due] == [
            (ann, "subscribed", NOW)
        ]
        enter(session, due[0])
        consent(session, ann, at=NOW - SECOND)
        assert found(session, welcome) == []


def test_refill_comes_before_the_next_order_of_what_is_bought_again_and_again(engine: Engine) -> None:
    before = journey("refill", days=5)
    with session_scope(engine) as session:
        for sku, stock in (("GAS", None), ("SOAP", 3), ("SOLD-OUT", 0)):
            product(session, sku, 9_900, None, stock=stock)
        ann, bob, eva, kai = (customer(session) for _ in range(4))
        for who, skus in ((ann, ("SOLD-OUT", "GAS")), (bob, ("SOLD-OUT",)), (eva, ("SOAP",))):
            for _ in range(3):
                bought = order(session, who)
                for sku in skus:
                    put(session, bought, sku)
        for who in (ann, kai, kai):  # twice is not again and again
            put(session, order(session, who), "SOAP")
        for who in (ann, bob, kai):
            worth(session, who, expected_next_at=NOW + 5 * DAY)
        worth(session, eva, expected_next_at=NOW + 5 * DAY + SECOND)
        due = found(session, before)
        assert [(one.customer_id, one.context, one.anchor_at) for one in due] == [(ann, {"sku": "GAS"}, NOW)]
        assert due[0].trigger_key == f"after:{NOW - 90 * DAY:%Y-%m-%d}"
        enter(session, due[0])
        assert found(session, before) == []
        # Unless the shop says that it is used up.
        used_up = journey("refill", days=5, only=["SOAP"])
        assert [one.customer_id for one in found(session, used_up)] == [kai]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4)),
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["x", "y", None])),
    st.sets(st.sampled_from(["a", "b", "x"])),
)
def test_what_was_in_most_orders_is_refilled(
    times: dict[str, int], sold: dict[str, str | None], only: set[str]
) -> None:
    usual = refill.usual(times, sold, only)
    least = 2 if only else 3
    possible = {
        sku: count
        for sku, count in times.items()
        if sku in sold and count >= least and (not only or sku in only or sold[sku] in only)
    }
    assert (usual is None) == (not possible)
    if usual is not None:
        assert possible[usual] == max(possible.values())


def test_lapsed_takes_the_best_of_a_day_and_passes_over_who_cannot_enter(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BATCH", 2)
    back = journey("lapsed", a_day=3, again_days=100, purpose="newsletter")
    with session_scope(engine) as session:
        people = [customer(session) for _ in range(9)]
        for place, who in enumerate(people):
            segment = "loyal" if place == 0 else "hibernating" if place % 2 else "at_risk"
            worth(session, who, segment=segment, revenue_minor=1_000 - place)
            if place != 2:  # never agreed
                consent(session, who)
        assert [one.customer_id for one in found(session, back)][:4] == [people[n] for n in (1, 3, 4, 5)]
        entered: list[int] = []
        for batch in triggers.due(session, "test", back, NOW):
            for one in batch:
                if one.customer_id != people[3]:  # something hinders them
                    enter(session, one)
                    entered.append(one.customer_id)
        assert entered == [people[n] for n in (1, 4, 5)]
        assert found(session, back) == []
        tomorrow = [one.customer_id for one in found(session, back, NOW + DAY)]
        assert tomorrow[:3] == [people[n] for n in (3, 6, 7)]
        # A new lapse after another order, but too soon.
        session.get_one(CustomerValue, people[1]).last_order_at = NOW - 80 * DAY
        session.flush()
        assert people[1] not in [one.customer_id for one in found(session, back, NOW + DAY)]
        assert people[1] in [one.customer_id for one in found(session, back, NOW + 101 * DAY)]
        only = journey("lapsed", audience={"segments": ["loyal"]})
        assert found(session, only, key="loyal")[0].customer_id == people[0]


def test_points_that_end_are_told_once_a_month_to_who_can_use_them(engine: Engine) -> None:
    soon = journey("points_end", days=20)
    with session_scope(engine) as session:
        ann, bob, eva = (customer(session) for _ in range(3))
        for who, points, days in (
            (ann, 70, 20),
            (ann, 50, 27),  # the same month
            (ann, 30, 40),
            (bob, 99, 20),  # fewer than make a code
            (eva, 500, 20.001),
        ):
            _lot(session, who, points, NOW + timedelta(days=days))
        due = found(session, soon)
        assert [(one.customer_id, one.trigger_key, one.anchor_at) for one in due] == [
            (ann, "points:2026-05", NOW)
        ]
        told = {"points": 120, "expires_at": (NOW + 20 * DAY).isoformat(), "until": due[0].context["until"]}
        assert due[0].context == told
        # What is said is how things are when it is said.
        assert still.context(session, soon, ann, told, NOW) == told
        session.execute(update(Lot).where(Lot.points == 70).values(remaining=0))
        assert still.context(session, soon, ann, told, NOW) == {
            **told,
            "points": 50,
            "expires_at": (NOW + 27 * DAY).isoformat(),
        }
        session.execute(update(Lot).where(Lot.points == 50).values(remaining=0))
        with pytest.raises(NoWordsError):
            still.context(session, soon, ann, told, NOW)
        enter(session, due[0])
        later = found(session, soon, NOW + DAY)
        assert [one.customer_id for one in later] == [eva]


def _lot(session: Session, customer_id: int, points: int, end: datetime) -> None:
    account = session.query(Account).filter_by(customer_id=customer_id, kind="points").one_or_none()
    if account is None:
        account = Account(customer_id=customer_id, kind="points", balance=0)
        session.add(account)
        session.flush()
    account.balance = (account.balance or 0) + points
    session.add(Lot(account_id=account.id, points=points, remaining=points, expires_at=end))
    session.flush()


@given(st.integers(0, 20 * 365 * 24))
def test_the_end_of_a_month_is_in_it(hours: int) -> None:
    at = (NOW + timedelta(hours=hours)).astimezone(OSLO)
    end = points_end.month_end(at, OSLO)
    assert end >= at
    assert f"{end.astimezone(OSLO):%Y-%m}" == f"{at:%Y-%m}"
    assert f"{(end + SECOND).astimezone(OSLO):%Y-%m}" != f"{at:%Y-%m}"


def test_presents_are_told_of_while_they_are_good(engine: Engine) -> None:
    with session_scope(engine) as session:
        given_id = offer(session, "birthday", occasion="birthday")
        ann, bob, eva = (customer(session) for _ in range(3))
        coupon = _present(session, given_id, ann, reason={"years": 2})
        _present(session, given_id, bob, state="redeemed", redeemed_at=NOW)
        _present(session, given_id, eva, issued_at=NOW - 7 * DAY)
        _present(session, given_id, eva, expires_at=NOW, sequence=2)
        due = found(session, journey("birthday"))
        assert [(one.customer_id, one.trigger_key) for one in due] == [(ann, f"birthday:{ann}:2026:1")]
        assert due[0].context == {"coupon_id": coupon.id, "years": 2}
        assert found(session, journey("anniversary")) == []
        enter(session, due[0])
        assert found(session, journey("birthday")) == []


def _present(session: Session, offer_id: int, customer_id: int, **more: Any) -> Coupon:
    sequence = more.get("sequence", 1)
    values = {
        "code": f"FJ-{customer_id:04d}-{sequence:04d}",
        "occasion": "birthday",
        "grant_key": f"birthday:{customer_id}:2026:{sequence}",
        "issued_at": NOW,
        "expires_at": NOW + 20 * DAY,
        "reason": {},
    }
    coupon = Coupon(offer_id=offer_id, customer_id=customer_id, **(values | more))
    session.add(coupon)
    session.flush()
    return coupon


def test_complaints_are_asked_after_when_they_stay_solved(engine: Engine) -> None:
    asks = journey("complaint_solved", days=2)
    with session_scope(engine) as session:
        ann, bob = customer(session), customer(session)
        settled = complaint(session, ann, NOW - 2 * DAY)
        complaint(session, bob)
        complaint(session, bob, NOW - 2 * DAY + SECOND)
        complaint(session, bob, NOW - 9 * DAY)
        session.get_one(Case, complaint(session, bob, NOW - 3 * DAY)).outcome = "withdrawn"
        session.get_one(Case, complaint(session, bob, NOW - 3 * DAY)).kind = "request"
        session.flush()
        due = found(session, asks)
        assert [(one.customer_id, one.trigger_key, one.context) for one in due] == [
            (ann, f"case:{settled}", {"case_id": settled})
        ]
        enter(session, due[0])
        assert found(session, asks) == []
