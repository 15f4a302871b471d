"""Points become a code: both or neither, once, and worth what the shop says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select

from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.loyalty.offers import audit, service
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.sync import sync
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks
from rapport.loyalty.points.service import NotEnoughPointsError
from rapport.shop.facts import get_facts
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import NOW
from tests.loyalty.threads import at_once


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(engine: Engine) -> int:
    """A customer with 330 points, in a shop with the offers of its file."""
    with session_scope(engine) as session:
        sync(session, get_rulebook())
        customer_id = shop.customer(session)
        ledger.earn(session, customer_id, 330, key="a", reason="test", at=NOW)
        return customer_id


def test_points_become_a_code_worth_them(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        assert service.redeemable_points(session, ann) == 300
        code = service.redeem_points(session, ann, 300, key="c:1")
        worth = 300 * get_facts().club.point_value_minor
        assert (code.kind, code.amount_minor, code.occasion, code.again) == ("amount", worth, "points", False)
        assert ledger.balance(session, ann) == 30
        assert service.redeemable_points(session, ann) == 0
        why = service.explain_code(session, ann, code.code)
        assert why is not None
        assert (why.points, why.asked) == (300, True)
        # Paid for with points, it goes with another code, but not with its like.
        used = service.redeem(session, code.code, key="o", order_minor=4_000, currency="NOK")
        assert used.discount_minor == 4_000
        assert audit.find(session) == []


def test_the_same_key_burns_once(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        first = service.redeem_points(session, ann, 100, key="c:1")
    with session_scope(engine) as session:
        again = service.redeem_points(session, ann, 100, key="c:1")
        assert (again.code, again.again) == (first.code, True)
        for customer_id, points in ((ann, 150), (shop.customer(session), 100)):
            with pytest.raises(ConflictError):
                service.redeem_points(session, customer_id, points, key="c:1")
        other = service.redeem_points(session, ann, 100, key="c:2")
        assert other.code != first.code
        assert ledger.balance(session, ann) == 130


def test_points_of_a_revoked_code_come_back_once(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code = service.redeem_points(session, ann, 100, key="c:1").code
        used = service.redeem_points(session, ann, 150, key="c:2").code
        service.redeem(session, used, key="o", order_minor=90_000, currency="NOK")
    for _ in range(2):
        with session_scope(engine) as session:
            service.revoke(session, code, key="r", reason="wrong person")
            assert ledger.balance(session, ann) == 330 - 150
            with pytest.raises(ConflictError):
                service.revoke(session, used, key="r2", reason="too late")
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == 330 - 150
        assert tasks.check(session) == []
        assert audit.find(session) == []


def test_points_of_a_code_whose_time_is_over_do_not(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code = service.redeem_points(session, ann, 100, key="c:1")
        service.revoke(session, code.code, key="r", reason="tidying up", at=code.expires_at)
        assert ledger.balance(session, ann) == 230


def test_points_given_back_by_hand_keep_no_code_from_being_revoked(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        code = service.redeem_points(session, ann, 100, key="c:1").code
        ledger.reverse(session, "coupon:c:1", key="by-hand", at=NOW)
        assert service.revoke(session, code, key="r", reason="done").state == "revoked"
        assert ledger.balance(session, ann) == 330


@pytest.mark.parametrize("points", [0, -100, 1, 99, 101, 149])
def test_only_what_the_shop_takes(engine: Engine, ann: int, points: int) -> None:
    with session_scope(engine) as session:
        with pytest.raises(InvalidInputError, match="at least 100 points, in steps of 50"):
            service.redeem_points(session, ann, points, key="c:1")
        assert ledger.balance(session, ann) == 330


def test_without_enough_points_there_is_no_code(engine: Engine, ann: int) -> None:
    with pytest.raises(NotEnoughPointsError), session_scope(engine) as session:
        service.redeem_points(session, ann, 350, key="c:1")
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Coupon)) == 0
        assert ledger.balance(session, ann) == 330


def test_without_a_code_no_points_are_burnt(engine: Engine, ann: int) -> None:
    with session_scope(engine) as session:
        session.scalars(select(Offer).where(Offer.key == "points")).one().cap = 0
    with pytest.raises(ConflictError), session_scope(engine) as session:
        service.redeem_points(session, ann, 100, key="c:1")
    with session_scope(engine) as session:
        session.scalars(select(Offer).where(Offer.key == "points")).one().active = False
        assert service.redeemable_points(session, ann) == 0
        with pytest.raises(ConflictError):
            service.redeem_points(session, ann, 100, key="c:2")
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == 330


def test_sixteen_at_once_spend_only_what_is_there(engine: Engine, ann: int) -> None:
    keys = [f"c:{number}" for number in range(16)]

    def spend() -> bool:
        key = keys.pop()
        try:
            with session_scope(engine) as session:
                service.redeem_points(session, ann, 100, key=key)
        except NotEnoughPointsError:
            return False
        return True

    assert at_once(16, spend).count(True) == 3
    with session_scope(engine) as session:
        assert ledger.balance(session, ann) == 30
        assert session.scalar(select(func.count()).select_from(Coupon)) == 3
        assert audit.find(session) == []
