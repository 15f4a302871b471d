"""A code after it was issued: check, hold, use, release, undo, end. Each once, each written down."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.loyalty.offers import audit, figures, service, tasks
from rapport.loyalty.offers.coupons import HOLD
from rapport.loyalty.offers.models import Coupon, CouponEvent, Offer
from rapport.loyalty.offers.service import CouponError, Refusal
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import DAY, NOW, coupons, events

_numbers = count(1)
ORDER: dict[str, Any] = {"order_minor": 100_000, "currency": "NOK"}


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


def _code(engine: Engine, **offer: Any) -> str:
    """A code of a new offer for a new customer."""
    with session_scope(engine) as session:
        only = f"only-{next(_numbers)}"
        customer_id = shop.customer(session, likes=[only])
        shop.offer(session, only, interests=[only], **offer)
        discount = service.offer_discount(session, customer_id)
        assert discount is not None
        return discount.code


def _do(engine: Engine, step: str, code: str, **values: Any) -> service.Quote:
    with session_scope(engine) as session:
        quote: service.Quote = getattr(service, step)(session, code, **values)
        return quote


def _refused(engine: Engine, step: str, code: str, **values: Any) -> Refusal:
    with pytest.raises(CouponError) as error:
        _do(engine, step, code, **values)
    return error.value.reason


def _offer(engine: Engine) -> Offer:
    with session_scope(engine) as session:
        assert audit.find(session) == []
        return session.scalars(select(Offer)).one()


def test_a_whole_life(engine: Engine) -> None:
    code = _code(engine, percent=15, max_discount_minor=12_000, budget_minor=20_000)
    assert _offer(engine).spent_minor == 12_000
    assert _do(engine, "check", code, **ORDER).discount_minor == 12_000
    held = _do(engine, "hold", code, key="k1", holder="basket 1", **ORDER)
    assert (held.state, held.held_until) == ("held", NOW + HOLD)
    assert _refused(engine, "hold", code, key="k2", holder="basket 2", **ORDER) == "held"
    assert _refused(engine, "redeem", code, key="k3", **ORDER) == "held"
    assert _do(engine, "release", code, key="k4", holder="basket 1").state == "issued"
    small = {"order_minor": 50_000, "currency": "NOK"}
    used = _do(engine, "redeem", code, key="k5", **small)
    assert (used.state, used.discount_minor) == ("redeemed", 7_500)
    assert _offer(engine).spent_minor == 7_500
    assert _refused(engine, "redeem", code, key="k6", **ORDER) == "used"
    assert _do(engine, "rollback", code, key="k7", reason="order cancelled").state == "issued"
    assert _offer(engine).spent_minor == 12_000
    assert _do(engine, "redeem", code, key="k8", **ORDER).discount_minor == 12_000
    assert events(engine) == [
        ("issued", None),
        ("checked", None),
        ("held", None),
        ("refused", "held"),
        ("refused", "held"),
        ("released", None),
        ("redeemed", None),
        ("refused", "used"),
        ("rolled_back", "order cancelled"),
        ("redeemed", None),
    ]


@pytest.mark.parametrize("step", ["hold", "redeem"])
def test_the_same_key_gives_the_same_and_nothing_more(engine: Engine, step: str) -> None:
    code = _code(engine)
    first = _do(engine, step, code, key="k", **ORDER)
    again = _do(engine, step, code.lower(), key="k", **ORDER)
    assert (again.repeated, first.repeated) == (True, False)
    assert (again.discount_minor, again.state, again.code) == (first.discount_minor, first.state, first.code)
    assert again.held_until == first.held_until
    for other in ({"order_minor": 99_999, "currency": "NOK"}, ORDER | {"with_codes": ["X"]}):
        with pytest.raises(ConflictError) as error:
            _do(engine, step, code, key="k", **other)
        assert isinstance(error.value, CouponError)
        assert error.value.reason == "conflict"
    assert [kind for kind, _ in events(engine)].count("refused") == 2


def test_a_key_is_for_one_code(engine: Engine) -> None:
    one, other = _code(engine), _code(engine)
    _do(engine, "redeem", one, key="k", **ORDER)
    assert _refused(engine, "redeem", other, key="k", **ORDER) == "conflict"
    assert [coupon.state for coupon in coupons(engine)] == ["redeemed", "issued"]


def test_one_key_holds_uses_and_undoes(engine: Engine) -> None:
    code = _code(engine)
    _do(engine, "hold", code, key="order 7", **ORDER)
    _do(engine, "redeem", code, key="order 7", **ORDER)
    _do(engine, "rollback", code, key="order 7", reason="cancelled")
    assert _do(engine, "rollback", code, key="order 7", reason="cancelled").repeated
    assert [kind for kind, _ in events(engine)] == ["issued", "held", "redeemed", "rolled_back"]


@pytest.mark.parametrize("typed", ["{0}", " {0} ", "{1}", "{2}"])
def test_a_code_is_known_however_it_is_typed(engine: Engine, typed: str) -> None:
    code = _code(engine)
    spelt = typed.format(code, code.lower().replace("-", " "), code.replace("-", "–"))
    assert _do(engine, "check", spelt, **ORDER).code == code


@pytest.mark.parametrize(
    "code", ["FJ-AAAA-BBBB", "", "x", "'; DROP TABLE coupon; --", "FJ-" + "A" * 5000, "\0"]
)
def test_an_unknown_code_leaves_nothing_of_itself(engine: Engine, code: str) -> None:
    for step, values in (
        ("check", ORDER),
        ("hold", ORDER | {"key": "a"}),
        ("redeem", ORDER | {"key": "a"}),
        ("release", {"key": "a"}),
        ("rollback", {"key": "a", "reason": "r"}),
        ("revoke", {"key": "a", "reason": "r"}),
    ):
        assert _refused(engine, step, code, **values) == "unknown"
    with session_scope(engine) as session:
        rows = session.scalars(select(CouponEvent)).all()
        assert len(rows) == 6
        assert {(row.coupon_id, row.key, row.reason) for row in rows} == {(None, None, "unknown")}


def test_who_may_only_read_is_written_down_too(engine: Engine) -> None:
    code = _code(engine)
    with read_scope(engine) as session:
        service.check(session, code, **ORDER)
    with pytest.raises(CouponError), read_scope(engine) as session:
        service.check(session, code, order_minor=1, currency="EUR")
    assert events(engine) == [("issued", None), ("checked", None), ("refused", "currency")]


def test_a_caught_refusal_is_written_once_beside_what_else_was_done(engine: Engine) -> None:
    code = _code(engine)
    with session_scope(engine) as session:
        for _ in range(2):
            with pytest.raises(CouponError):
                service.redeem(session, code, key="k", order_minor=5, currency="EUR")
        session.add(Customer(name="Ann"))
    assert events(engine)[1:] == [("refused", "currency")] * 2
    with session_scope(engine) as session:
        assert session.scalars(select(Customer.name).where(Customer.name.is_not(None))).all() == ["Ann"]


def test_it_is_good_from_its_start_until_before_its_end(engine: Engine) -> None:
    code = _code(engine, valid_days=10)
    end = NOW + 10 * DAY
    second = DAY / 86_400
    assert _refused(engine, "redeem", code, key="a", at=NOW - second, **ORDER) == "not_started"
    assert _refused(engine, "redeem", code, key="b", at=end, **ORDER) == "expired"
    assert _do(engine, "redeem", code, key="c", at=end - second, **ORDER).state == "redeemed"


def test_a_hold_neither_lasts_longer_than_the_code_nor_for_ever(engine: Engine) -> None:
    code = _code(engine, valid_days=1)
    held = _do(engine, "hold", code, key="a", until=NOW + 9 * DAY, **ORDER)
    assert held.held_until == NOW + DAY
    assert _refused(engine, "redeem", code, key="a", at=NOW + DAY, **ORDER) == "expired"
    other = _code(engine)
    _do(engine, "hold", other, key="b", until=NOW + DAY / 24, **ORDER)
    assert _refused(engine, "redeem", other, key="c", **ORDER) == "held"
    assert _do(engine, "redeem", other, key="c", at=NOW + DAY / 24, **ORDER).state == "redeemed"
    with pytest.raises(InvalidInputError):
        _do(engine, "hold", _code(engine), key="d", until=NOW, **ORDER)


def test_who_holds_it_may_use_it_and_hold_it_on(engine: Engine) -> None:
    code = _code(engine)
    _do(engine, "hold", code, key="a", holder="basket", until=NOW + DAY, **ORDER)
    longer = _do(engine, "hold", code, key="b", holder="basket", until=NOW + 2 * DAY, **ORDER)
    assert longer.held_until == NOW + 2 * DAY
    assert _refused(engine, "release", code, key="c", holder="another") == "not_held"
    assert _do(engine, "redeem", code, key="d", holder="basket", **ORDER).state == "redeemed"
    assert _refused(engine, "release", code, key="e", holder="basket") == "not_held"


def test_only_its_customer_can_use_it(engine: Engine) -> None:
    code = _code(engine)
    [coupon] = coupons(engine)
    assert (
        _refused(engine, "redeem", code, key="a", customer_id=coupon.customer_id + 1, **ORDER) == "not_yours"
    )
    assert _do(engine, "redeem", code, key="b", customer_id=coupon.customer_id, **ORDER).state == "redeemed"


def test_the_use_on_another_order_is_not_undone(engine: Engine) -> None:
    code = _code(engine)
    with session_scope(engine) as session:
        one, other = (shop.order(session, coupons_of(session)).id for _ in range(2))
    _do(engine, "redeem", code, key="a", order_id=one, **ORDER)
    assert _refused(engine, "rollback", code, key="b", reason="r", order_id=other) == "not_used"
    assert _do(engine, "rollback", code, key="c", reason="r", order_id=one).state == "issued"
    assert _refused(engine, "rollback", code, key="d", reason="r") == "not_used"


def coupons_of(session: Any) -> int:
    customer_id: int = session.scalars(select(Coupon.customer_id)).one()
    return customer_id


def test_codes_of_different_groups_go_together(engine: Engine) -> None:
    alone, campaign, points = (_code(engine, stacking=group) for group in ("exclusive", "campaign", "points"))
    assert _do(engine, "check", campaign, with_codes=[points], **ORDER).discount_minor == 10_000
    assert _do(engine, "check", campaign, with_codes=[campaign], **ORDER).discount_minor == 10_000
    for with_codes in ([alone], ["SOMEBODY-ELSES"], [points, points.lower(), alone]):
        assert _refused(engine, "check", campaign, with_codes=with_codes, **ORDER) == "not_stackable"
    assert _refused(engine, "check", alone, with_codes=[points], **ORDER) == "not_stackable"


def test_the_margin_is_kept_where_it_is_known(engine: Engine) -> None:
    with session_scope(engine) as session:
        shop.product(session, "A", 50_000, 46_000)
        shop.product(session, "B", 50_000, 50_000)
        shop.product(session, "C", 50_000, None)
    code = _code(engine, percent=20, keep_margin=True)
    for items, discount in (
        ([("A", 2)], 8_000),
        ([("A", 1), ("B", 1)], 4_000),
        ([("A", 1), ("C", 1)], 20_000),
        ([("A", 1), ("nobody knows", 1)], 20_000),
        ([], 20_000),
    ):
        assert _do(engine, "check", code, items=items, **ORDER).discount_minor == discount
    assert _refused(engine, "check", code, items=[("B", 2)], **ORDER) == "margin"
    assert _do(engine, "check", _code(engine, percent=20), items=[("B", 2)], **ORDER).discount_minor == 20_000


def test_a_present_costs_what_the_shop_paid(engine: Engine) -> None:
    with session_scope(engine) as session:
        shop.product(session, "MUG", 20_000, 8_000)
        shop.product(session, "CUP", 20_000, None)
    code = _code(engine, gift_sku="MUG", budget_minor=10_000)
    used = _do(engine, "redeem", code, key="a", **ORDER)
    assert (used.gift_sku, used.discount_minor) == ("MUG", 0)
    assert [coupon.cost_minor for coupon in coupons(engine)] == [8_000]
    _do(engine, "redeem", _code(engine, gift_sku="CUP"), key="b", **ORDER)
    assert [coupon.cost_minor for coupon in coupons(engine)] == [8_000, 20_000]


@pytest.mark.parametrize("stock", [0, -1, None])
def test_a_present_that_cannot_be_had_is_not_given(engine: Engine, stock: int | None) -> None:
    with session_scope(engine) as session:
        if stock is not None:
            shop.product(session, "MUG", 20_000, 8_000, stock=stock)
        customer_id = shop.customer(session)
        shop.offer(session, "mug", gift_sku="MUG", budget_minor=10_000)
        assert service.offer_discount(session, customer_id) is None
    assert _offer(engine).used == 0


def test_where_the_budget_went_elsewhere_an_undone_code_is_worth_what_it_was_used_for(engine: Engine) -> None:
    with session_scope(engine) as session:
        one, other = shop.customer(session), shop.customer(session)
        shop.offer(session, "few", percent=50, max_discount_minor=10_000, budget_minor=14_000)
        code = service.offer_discount(session, one).code  # type: ignore[union-attr]
        assert service.offer_discount(session, other) is None
    _do(engine, "redeem", code, key="a", order_minor=8_000, currency="NOK")
    with session_scope(engine) as session:
        assert service.offer_discount(session, other) is not None
    _do(engine, "rollback", code, key="b", reason="r")
    assert _offer(engine).spent_minor == 14_000
    assert _do(engine, "redeem", code, key="c", **ORDER).discount_minor == 4_000


def test_a_budget_that_came_later_holds_a_code_used_before_it(engine: Engine) -> None:
    """Used without a limit, undone when there is a budget: it must not cost more than there is room for."""
    code = _code(engine, percent=50)
    _do(engine, "redeem", code, key="first", **ORDER | {"order_minor": 20_000})
    with session_scope(engine) as session:
        offer = session.scalars(select(Offer)).one()
        offer.max_discount_minor, offer.budget_minor = 5_000, 10_000
    _do(engine, "rollback", code, key="first", reason="cancelled")
    assert _offer(engine).spent_minor == 10_000
    assert _do(engine, "redeem", code, key="second", **ORDER).discount_minor == 10_000
    assert _offer(engine).spent_minor == 10_000


def test_what_ended_gives_its_budget_back(engine: Engine) -> None:
    code = _code(engine, percent=50, max_discount_minor=10_000, budget_minor=10_000, valid_days=5)
    end = NOW + 5 * DAY
    for at, state in ((end, "issued"), (end + DAY, "expired"), (end + 2 * DAY, "expired")):
        with session_scope(engine) as session:
            tasks.run(session, at)
        assert [coupon.state for coupon in coupons(engine)] == [state]
    assert _offer(engine).spent_minor == 0
    assert _refused(engine, "redeem", code, key="a", at=NOW, **ORDER) == "expired"
    assert [kind for kind, _ in events(engine)] == ["issued", "expired", "refused"]


def test_a_revoked_code_is_worthless(engine: Engine) -> None:
    code = _code(engine, amount_minor=10_000, budget_minor=10_000)
    assert _do(engine, "revoke", code, key="a", reason="sent by mistake").state == "revoked"
    assert _do(engine, "revoke", code, key="a", reason="sent by mistake").repeated
    assert _refused(engine, "redeem", code, key="b", **ORDER) == "revoked"
    assert _refused(engine, "revoke", code, key="c", reason="again") == "revoked"
    assert _offer(engine).spent_minor == 0


@pytest.mark.parametrize(
    "values", [{"order_minor": -1}, {"key": ""}, {"key": "k" * 200}, {"holder": "h" * 200}]
)
def test_what_makes_no_sense_is_said(engine: Engine, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        _do(engine, "redeem", _code(engine), **({"key": "k"} | ORDER | values))


def test_amounts_beyond_32_bits(engine: Engine) -> None:
    """The goods of an order may be worth more than its total can be, and points more than either."""
    code = _code(engine, percent=50)
    quote = _do(engine, "redeem", code, key="o", order_minor=30_000_000_000, currency="NOK")
    assert quote.discount_minor == 15_000_000_000
    assert _offer(engine).spent_minor == 15_000_000_000
    with session_scope(engine) as session:
        assert [one.cost_minor for one in figures.of_all(session, past=True)] == [15_000_000_000]
    _do(engine, "rollback", code, key="o", reason="test")
    large = _do(engine, "check", code, order_minor=200_000_000_000, currency="NOK")
    assert large.discount_minor == 100_000_000_000
    with session_scope(engine) as session:
        assert session.scalars(select(CouponEvent.order_minor).order_by(CouponEvent.id.desc())).first() == (
            200_000_000_000
        )
