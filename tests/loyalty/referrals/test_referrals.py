"""Friends: one code each, nobody is their own friend, one reward, when nothing can come back any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers.models import Customer, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import NotFoundError
from rapport.loyalty.offers import audit
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.sync import sync
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks as points
from rapport.loyalty.referrals import service, tasks
from rapport.loyalty.referrals.models import Referral, ReferralCode
from rapport.loyalty.referrals.service import ReferralError
from rapport.shop.facts import get_facts
from rapport.shop.models import Order, Refund
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import DAY, NOW
from tests.loyalty.threads import at_once

RETURN = timedelta(days=get_facts().refunds.days)
RULE = get_rulebook().referral
assert RULE is not None
POINTS, PER_YEAR, MINIMUM = RULE.points, RULE.per_year, get_rulebook().referral_minimum_minor


@pytest.fixture(autouse=True)
def _still(engine: Engine) -> Iterator[None]:
    with clock.freeze(NOW):
        with session_scope(engine) as session:
            sync(session, get_rulebook())
        yield


@pytest.fixture
def ann(engine: Engine) -> int:
    """Who brings others."""
    with session_scope(engine) as session:
        return shop.customer(session, email="ann.berg@example.com", phone="+4791234567")


def _friend(session: Session, **values: str) -> int:
    return shop.customer(session, stage="interest", **values)


def _ordered(session: Session, friend: int, at: datetime = NOW) -> Order:
    order = shop.order(session, friend, at, status="paid")
    service.note_order(session, order)
    return order


def _run(engine: Engine, now: datetime) -> Counter[str]:
    with session_scope(engine) as session:
        return tasks.run(session, now)


def _states(engine: Engine) -> list[tuple[str, str | None]]:
    with session_scope(engine) as session:
        assert audit.find(session) == []
        assert ledger_errors(session) == []
        rows = session.execute(select(Referral.state, Referral.reason).order_by(Referral.id))
        return [(row.state, row.reason) for row in rows]


def ledger_errors(session: Session) -> list[str]:
    return points.check(session)


def test_the_whole_way(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code = service.code_of(session, ann)
        assert service.code_of(session, ann) == code
        friend = _friend(session)
        claim = service.claim(session, f" {code.lower().replace('-', ' ')}", friend, key="k")
        assert (claim.percent, claim.repeated) == (10, False)
        assert claim.code is not None
        why = offers.explain(session, friend)
        assert why is not None
        assert (why.occasion, why.referral_id, why.asked) == ("referral", claim.referral_id, True)
        order = _ordered(session, friend)
        order.status, order.delivered_at = "delivered", NOW + 3 * DAY
        service.note_order(session, order)
    assert _run(engine, NOW + 3 * DAY + RETURN - timedelta(seconds=1)) == Counter()
    assert _run(engine, NOW + 3 * DAY + RETURN) == Counter(rewarded=1)
    assert _run(engine, NOW + 99 * DAY) == Counter()
    assert _states(engine) == [("rewarded", None)]
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == POINTS
        assert session.get_one(Customer, ann).stage == "trust"  # who recommends us trusts us
        assert ledger.balance(session, friend) == 0
        program = service.program(session, ann)
        assert program is not None
        assert (program.brought, program.rewarded, program.points) == (1, 1, POINTS)


def test_a_code_that_comes_with_the_order_brings_the_friend_theirs(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        friend = _friend(session)
        _ordered(session, friend, NOW - timedelta(hours=1))
        claim = service.claim(session, service.code_of(session, ann), friend, key="k")
        assert (claim.percent, claim.code is not None) == (10, True)


def test_a_friend_rewarded_later_is_as_new_as_they_were(
    engine: Engine, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RULE is not None
    later = RULE.model_copy(update={"friend_gets": "with_reward"})
    book = get_rulebook().model_copy(update={"referral": later})
    monkeypatch.setattr(service, "get_rulebook", lambda: book)
    with session_scope(engine) as session:
        friend = _friend(session)
        claim = service.claim(session, service.code_of(session, ann), friend, key="k")
        assert claim.code is None
        _ordered(session, friend)
    assert _run(engine, NOW + RETURN) == Counter(rewarded=1)
    with session_scope(engine) as session:
        assert session.scalars(select(Coupon.customer_id)).all() == [friend]


def test_without_news_of_its_delivery_the_order_counts(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        friend = _friend(session)
        service.claim(session, service.code_of(session, ann), friend, key="k")
        _ordered(session, friend)
        _ordered(session, friend, NOW + 5 * DAY)  # only the first one counts
    assert _run(engine, NOW + RETURN) == Counter(rewarded=1)


@pytest.mark.parametrize(
    ("identities", "reason"),
    [
        ({"email": "annberg+shop@example.com"}, "self"),
        ({"email": "a.n.n.berg@example.com"}, "self"),
        ({"email": "other@example.com", "whatsapp": "+4791234567"}, "self"),
        ({"email": "ben@example.com"}, None),
    ],
)
def test_nobody_is_their_own_friend(
    engine: Engine, ann: int, identities: dict[str, str], reason: str | None
) -> None:
    with session_scope(engine) as session:
        twin = _friend(session, email=identities["email"])
        if "whatsapp" in identities:  # a number belongs to one customer on each channel
            session.add(Identity(customer_id=twin, kind="whatsapp", value=identities["whatsapp"]))
            session.flush()
        code = service.code_of(session, ann)
        if reason is None:
            assert service.claim(session, code, twin, key="k").referral_id
            return
        with pytest.raises(ReferralError) as error:
            service.claim(session, code, twin, key="k")
        assert error.value.reason == reason
    assert _states(engine) == []


def test_who_cannot_be_brought(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code = service.code_of(session, ann)
        old, friend, cancelled, fresh = (_friend(session) for _ in range(4))
        shop.order(session, old)
        shop.order(session, cancelled, status="cancelled")
        shop.order(session, fresh, NOW - timedelta(hours=1), status="paid")
        service.claim(session, code, friend, key="k")
        for who, what, key, reason in (
            (ann, code, "a", "self"),
            (old, code, "b", "not_new"),
            (friend, code, "c", "already_referred"),
            (old, "FJ-NOBODY", "d", "unknown"),
            (old, "", "e", "unknown"),
            (cancelled, code, "k", "conflict"),
            (ann, service.code_of(session, friend), "f", "mutual"),
        ):
            with pytest.raises(ReferralError) as error:
                service.claim(session, what, who, key=key)
            assert error.value.reason == reason, reason
        assert service.claim(session, code, cancelled, key="g").code
        # The code came with the first order; the friend's own is for the next.
        assert service.claim(session, code, fresh, key="h").code
        with pytest.raises(NotFoundError):
            service.claim(session, code, 999_999, key="i")


def test_the_same_key_claims_once(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code, friend = service.code_of(session, ann), _friend(session)
        first = service.claim(session, code, friend, key="k")
        again = service.claim(session, code, friend, key="k")
        assert again.repeated
        assert (again.referral_id, again.code) == (first.referral_id, first.code)
        assert session.scalar(select(func.count()).select_from(Coupon)) == 1


@pytest.mark.parametrize("how", ["cancelled", "refunded", "unnoted"])
def test_an_order_that_comes_back_is_not_rewarded(engine: Engine, ann: int, how: str) -> None:
    with session_scope(engine) as session:
        friend = _friend(session)
        service.claim(session, service.code_of(session, ann), friend, key="k")
        order = _ordered(session, friend)
    with session_scope(engine) as session:
        order = session.get_one(Order, order.id)
        if how == "cancelled":
            order.status = "cancelled"
        else:
            _refund(session, order, order.total_minor)
        if how != "unnoted":
            service.note_refund(session, order)
    assert _run(engine, NOW + RETURN) == Counter(void=1 if how == "unnoted" else 0) + Counter()
    assert _states(engine) == [("void", "refunded" if how == "unnoted" else how)]
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == 0


def _refund(session: Session, order: Order, amount_minor: int) -> None:
    session.add(
        Refund(
            order_id=order.id,
            source="shop",
            reference=order.number,
            amount_minor=amount_minor,
            currency="NOK",
            at=NOW,
        )
    )
    session.flush()


def test_an_order_that_comes_back_in_part_is(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        friend = _friend(session)
        service.claim(session, service.code_of(session, ann), friend, key="k")
        order = _ordered(session, friend)
        _refund(session, order, order.total_minor - MINIMUM)
        service.note_refund(session, order)
    assert _run(engine, NOW + RETURN) == Counter(rewarded=1)


def test_an_order_of_which_too_little_is_kept_is_not(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        friend = _friend(session)
        service.claim(session, service.code_of(session, ann), friend, key="k")
        order = _ordered(session, friend)
        _refund(session, order, order.total_minor - MINIMUM + 1)
        service.note_refund(session, order)
    assert _run(engine, NOW + RETURN) == Counter(void=1)
    assert _states(engine) == [("void", "too_little")]
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == 0


@pytest.mark.parametrize(
    "small", [{"total_minor": 0}, {"total_minor": MINIMUM - 1}, {"total_minor": 900_000, "currency": "EUR"}]
)
def test_an_order_of_too_little_leads_to_nothing(engine: Engine, ann: int, small: dict[str, Any]) -> None:
    """It is not the friend's first either: one that is enough may come."""
    with session_scope(engine) as session:
        friend = _friend(session)
        service.claim(session, service.code_of(session, ann), friend, key="k")
        service.note_order(session, shop.order(session, friend, NOW, status="paid", **small))
    assert _run(engine, NOW + RETURN) == Counter()
    assert _states(engine) == [("claimed", None)]
    with session_scope(engine) as session:
        enough = shop.order(session, friend, NOW + DAY, status="paid", total_minor=MINIMUM)
        service.note_order(session, enough)
    assert _run(engine, NOW + DAY + RETURN) == Counter(rewarded=1)


def test_only_so_many_a_year(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code = service.code_of(session, ann)
        for number in range(PER_YEAR + 2):
            friend = _friend(session)
            service.claim(session, code, friend, key=f"k{number}")
            _ordered(session, friend)
    assert _run(engine, NOW + RETURN) == Counter(rewarded=PER_YEAR, void=2)
    assert Counter(_states(engine)) == {("rewarded", None): PER_YEAR, ("void", "per_year"): 2}
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == PER_YEAR * POINTS
        friend = _friend(session)
        service.claim(session, code, friend, key="next year")
        _ordered(session, friend, NOW + 250 * DAY)
    assert _run(engine, NOW + 300 * DAY) == Counter(rewarded=1)  # the next year


def test_a_complaint_makes_the_thanks_wait(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        friend = _friend(session)
        service.claim(session, service.code_of(session, ann), friend, key="k")
        _ordered(session, friend)
        case_id = shop.complaint(session, ann)
    assert _run(engine, NOW + RETURN) == Counter(waiting=1)
    with session_scope(engine) as session:
        session.get_one(Case, case_id).resolved_at = NOW
    assert _run(engine, NOW + RETURN) == Counter(rewarded=1)


def test_at_the_same_moment(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        ben = shop.customer(session)
        friend = _friend(session)
    codes = set(at_once(16, lambda: _code(engine, ann)))
    assert len(codes) == 1
    keys = [(codes.copy().pop() if n % 2 else _code(engine, ben), f"k{n}") for n in range(16)]

    def claim() -> bool:
        code, key = keys.pop()
        try:
            with session_scope(engine) as session:
                service.claim(session, code, friend, key=key)
        except ReferralError:
            return False
        return True

    assert at_once(16, claim).count(True) == 1
    with session_scope(engine) as session:
        _ordered(session, friend)
        assert session.scalar(select(func.count()).select_from(ReferralCode)) == 2
    at_once(8, lambda: _run(engine, NOW + RETURN))
    assert _states(engine) == [("rewarded", None)]
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) + ledger.balance(session, ben) == POINTS


def _code(engine: Engine, customer_id: int) -> str:
    with session_scope(engine) as session:
        return service.code_of(session, customer_id)
