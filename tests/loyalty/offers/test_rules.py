"""Offers and codes, without a database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.loyalty.offers.rules import (
    Audience,
    Basket,
    CouponState,
    OfferTerms,
    Person,
    Refusal,
    Terms,
    discount,
    entitled,
    expiry,
    means_coupon,
    new_coupon_code,
    quote,
    reserve,
    stackable,
    whole_steps,
)

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _offer(number: int, **changes: object) -> OfferTerms:
    """An offer; what belongs to its terms or its audience finds its way there."""
    terms = {name: changes.pop(name) for name in list(changes) if name in Terms.__dataclass_fields__}
    whom = {name: changes.pop(name) for name in list(changes) if name in Audience.__dataclass_fields__}
    return OfferTerms(
        number,
        terms=Terms(**({"percent": 10} | terms)),  # type: ignore[arg-type]
        audience=Audience(**whom),  # type: ignore[arg-type]
        **changes,  # type: ignore[arg-type]
    )


def _person(orders: int = 0, **changes: object) -> Person:
    return Person(**({"customer_id": 1, "stage": "know", "orders": orders} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "orders", "uses", "able"),
    [
        ({}, 0, {}, True),
        ({"min_orders": 1}, 0, {}, False),
        ({"min_orders": 5}, 4, {}, False),
        ({"min_orders": 5}, 5, {}, True),
        ({"max_orders": 0}, 0, {}, True),
        ({"max_orders": 0}, 1, {}, False),
        ({"active": False}, 0, {}, False),
        ({"starts_at": NOW + DAY}, 0, {}, False),
        ({"starts_at": NOW}, 0, {}, True),
        ({"ends_at": NOW}, 0, {}, False),
        ({"ends_at": NOW + DAY}, 0, {}, True),
        ({"cap": 5, "used": 4}, 0, {}, True),
        ({"cap": 5, "used": 5}, 0, {}, False),
        ({"cap": 0}, 0, {}, False),
        ({"budget_minor": 100, "spent_minor": 50, "max_discount_minor": 50}, 0, {}, True),
        ({"budget_minor": 100, "spent_minor": 51, "max_discount_minor": 50}, 0, {}, False),
        ({}, 9, {1: 1}, False),
        ({}, 9, {2: 1}, True),
        ({"per_customer": 2}, 9, {1: 1}, True),
        ({"per_customer": None}, 9, {1: 99}, True),
    ],
)
def test_who_is_entitled(changes: dict[str, object], orders: int, uses: dict[int, int], able: bool) -> None:
    assert bool(entitled([_offer(1, **changes)], _person(orders), uses, NOW, 100_000)) is able


@pytest.mark.parametrize(
    ("audience", "person", "matches"),
    [
        ({"stages": ("trust",)}, {"stage": "trust"}, True),
        ({"stages": ("know", "interest")}, {"stage": "trust"}, False),
        ({"segments": ("at_risk",)}, {"segment": "at_risk"}, True),
        ({"segments": ("at_risk",)}, {"segment": "loyal"}, False),
        ({"segments": ("at_risk",)}, {}, False),
        ({"tiers": ("summit",)}, {"tier": "summit"}, True),
        ({"tiers": ("summit",)}, {}, False),
        ({"interests": ("tents", "boots")}, {"interests": frozenset({"boots", "skiing"})}, True),
        ({"interests": ("tents",)}, {}, False),
        ({"stages": ("trust",), "segments": ("loyal",)}, {"stage": "trust"}, False),
        ({}, {}, True),
    ],
)
def test_whom_it_is_for(audience: dict[str, object], person: dict[str, object], matches: bool) -> None:
    assert Audience(**audience).matches(_person(**person)) is matches  # type: ignore[arg-type]


def test_the_best_offer_comes_first() -> None:
    offers = [_offer(1), _offer(2, percent=15, minimum_minor=900), _offer(3, percent=15), _offer(4)]
    assert [offer.id for offer in entitled(offers, _person(), {}, NOW, 100_000)] == [3, 2, 1, 4]


def test_percent_and_amounts_are_compared_on_a_typical_order() -> None:
    offers = [_offer(1), _offer(2, kind="amount", percent=0, amount_minor=11_000), _offer(3, kind="gift")]
    assert [offer.id for offer in entitled(offers, _person(), {}, NOW, 100_000)] == [2, 1, 3]
    assert [offer.id for offer in entitled(offers, _person(), {}, NOW, 200_000)] == [1, 2, 3]


def test_a_code_does_not_outlive_its_offer() -> None:
    assert expiry(_offer(1), NOW) == NOW + 30 * DAY
    assert expiry(_offer(1, ends_at=NOW + DAY), NOW) == NOW + DAY


def test_codes_can_be_read_out() -> None:
    codes = {new_coupon_code("FJ") for _ in range(2000)}
    assert len(codes) == 2000
    assert all(re.fullmatch(r"FJ-[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", code) for code in codes)


@pytest.mark.parametrize(
    ("terms", "order_minor", "expected"),
    [
        (Terms(percent=10), 999, 99),
        (Terms(percent=15), 1, 0),
        (Terms(percent=100), 12_345, 12_345),
        (Terms(percent=50, max_discount_minor=300), 1000, 300),
        (Terms("amount", amount_minor=500), 400, 400),
        (Terms("amount", amount_minor=500), 900, 500),
        (Terms("gift", gift_sku="A"), 900, 0),
        (Terms(percent=10), 0, 0),
    ],
)
def test_what_a_code_takes_off(terms: Terms, order_minor: int, expected: int) -> None:
    assert discount(terms, order_minor) == expected


ANY_TERMS = st.builds(
    Terms,
    kind=st.sampled_from(["percent", "amount", "gift"]),
    percent=st.integers(0, 100),
    amount_minor=st.integers(0, 10**7),
    max_discount_minor=st.none() | st.integers(1, 10**6),
)


@given(ANY_TERMS, st.integers(0, 10**9))
def test_a_discount_is_never_more_than_the_order_nor_than_what_was_set_aside(
    terms: Terms, order_minor: int
) -> None:
    off = discount(terms, order_minor)
    assert 0 <= off <= order_minor
    if terms.kind == "percent":
        exact = Fraction(order_minor * terms.percent, 100)
        assert off <= exact
        assert off > exact - 1 or off == terms.max_discount_minor
    if terms.kind == "amount" or (terms.kind == "percent" and terms.max_discount_minor is not None):
        assert off <= reserve(terms)


MOMENTS = st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))


@given(
    st.builds(
        CouponState,
        customer_id=st.just(1),
        state=st.sampled_from(["issued", "held", "redeemed", "expired", "revoked"]),
        terms=ANY_TERMS,
        currency=st.just("NOK"),
        starts_at=MOMENTS,
        expires_at=MOMENTS,
        holder=st.sampled_from(["a", "b"]),
        held_until=MOMENTS,
    ),
    MOMENTS,
    st.sampled_from([None, "a", "b"]),
    st.integers(0, 10**6),
)
def test_a_code_is_good_from_its_start_until_before_its_end(
    coupon: CouponState, now: datetime, holder: str | None, order_minor: int
) -> None:
    result = quote(coupon, Basket(order_minor, "NOK", holder=holder), now)
    if not coupon.starts_at <= now < coupon.expires_at:
        assert isinstance(result, Refusal)
    if coupon.state in ("redeemed", "expired", "revoked"):
        assert isinstance(result, Refusal)
    if coupon.state == "held" and now < (coupon.held_until or now) and holder != coupon.holder:
        assert isinstance(result, Refusal)
    if not isinstance(result, Refusal):
        assert 0 <= result <= order_minor


def _good(**changes: object) -> CouponState:
    values = {
        "customer_id": 1,
        "state": "issued",
        "terms": Terms(percent=10, minimum_minor=1000),
        "currency": "NOK",
        "starts_at": NOW,
        "expires_at": NOW + DAY,
    }
    return CouponState(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("coupon", "basket", "result"),
    [
        (_good(), Basket(5000, "NOK"), 500),
        (_good(), Basket(5000, "NOK", customer_id=1), 500),
        (_good(), Basket(5000, "NOK", customer_id=2), Refusal.NOT_YOURS),
        (_good(), Basket(999, "NOK"), Refusal.MINIMUM),
        (_good(), Basket(5000, "EUR"), Refusal.CURRENCY),
        (_good(), Basket(5000, "NOK", other_groups=("points",)), Refusal.NOT_STACKABLE),
        (_good(state="redeemed"), Basket(5000, "NOK"), Refusal.USED),
        (_good(state="revoked"), Basket(5000, "NOK"), Refusal.REVOKED),
        (_good(state="expired"), Basket(5000, "NOK"), Refusal.EXPIRED),
        (_good(expires_at=NOW), Basket(5000, "NOK"), Refusal.EXPIRED),
        (_good(starts_at=NOW + DAY), Basket(5000, "NOK"), Refusal.NOT_STARTED),
        (_good(state="held", holder="a", held_until=NOW + DAY), Basket(5000, "NOK"), Refusal.HELD),
        (_good(state="held", holder="a", held_until=NOW + DAY), Basket(5000, "NOK", holder="a"), 500),
        (_good(state="held", holder="a", held_until=NOW), Basket(5000, "NOK", holder="b"), 500),
        (_good(terms=Terms(percent=10, keep_margin=True)), Basket(5000, "NOK", cost_minor=4800), 200),
        (_good(terms=Terms(percent=10, keep_margin=True)), Basket(5000, "NOK", cost_minor=None), 500),
        (_good(terms=Terms(percent=10)), Basket(5000, "NOK", cost_minor=4800), 500),
        (
            _good(terms=Terms(percent=10, keep_margin=True)),
            Basket(5000, "NOK", cost_minor=5000),
            Refusal.MARGIN,
        ),
    ],
)
def test_when_a_code_can_be_used(coupon: CouponState, basket: Basket, result: int | Refusal) -> None:
    assert quote(coupon, basket, NOW) == result


@pytest.mark.parametrize(
    ("groups", "together"),
    [
        (["exclusive"], True),
        (["points"], True),
        (["exclusive", "points"], False),
        (["points", "points"], False),
        (["points", "campaign"], True),
        (["points", "campaign", "campaign"], False),
        (["exclusive", "exclusive"], False),
    ],
)
def test_which_codes_go_together(groups: list[str], together: bool) -> None:
    assert stackable(groups) is together


@pytest.mark.parametrize(
    ("points", "most"), [(0, 0), (99, 0), (100, 100), (149, 100), (150, 150), (1049, 1000)]
)
def test_points_go_in_whole_steps(points: int, most: int) -> None:
    assert whole_steps(points, 100, 50) == most


@pytest.mark.parametrize(
    ("text", "coupon"),
    [
        ("give me another code that begins with FJ-", True),
        ("is fj-7kqm-x2pa still good?", True),
        ("the discount code again, please", True),
        ("repite mi cupón", True),
        ("hva var rabattkoden min igjen?", True),
        ("care era codul de reducere?", True),
        ("a code for 20 %", True),
        ("send the code again", False),
        ("FJ-10234", False),
        ("the code for order FJ-10234, FJ-102345-678", False),
        ("123456", False),
        ("", False),
    ],
)
def test_which_code_is_meant(text: str, coupon: bool) -> None:
    assert means_coupon(text, "FJ") is coupon


def test_a_new_code_is_known_as_one() -> None:
    assert means_coupon(f"and {new_coupon_code('X.1')}?", "X.1")
