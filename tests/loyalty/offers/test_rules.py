"""Offers and codes, without a database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from rapport.loyalty.offers.rules import (
    OfferTerms,
    best_first,
    expiry,
    means_coupon,
    new_coupon_code,
)

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _offer(number: int, **changes: object) -> OfferTerms:
    values: dict[str, object] = {
        "id": number,
        "percent": 10,
        "minimum_minor": 0,
        "min_orders": 0,
        "starts_at": None,
        "ends_at": None,
        "valid_days": 30,
        "cap": None,
        "used": 0,
        "active": True,
    }
    return OfferTerms(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "orders", "redeemed", "entitled"),
    [
        ({}, 0, set(), True),
        ({"min_orders": 1}, 0, set(), False),
        ({"min_orders": 5}, 4, set(), False),
        ({"min_orders": 5}, 5, set(), True),
        ({"active": False}, 0, set(), False),
        ({"starts_at": NOW + DAY}, 0, set(), False),
        ({"starts_at": NOW}, 0, set(), True),
        ({"ends_at": NOW}, 0, set(), False),
        ({"ends_at": NOW + DAY}, 0, set(), True),
        ({"cap": 5, "used": 4}, 0, set(), True),
        ({"cap": 5, "used": 5}, 0, set(), False),
        ({"cap": 0}, 0, set(), False),
        ({}, 9, {1}, False),
        ({}, 9, {2}, True),
    ],
)
def test_who_is_entitled(changes: dict[str, object], orders: int, redeemed: set[int], entitled: bool) -> None:
    assert bool(best_first([_offer(1, **changes)], orders, redeemed, NOW)) is entitled


def test_the_best_offer_comes_first() -> None:
    offers = [_offer(1), _offer(2, percent=15, minimum_minor=900), _offer(3, percent=15), _offer(4)]
    assert [offer.id for offer in best_first(offers, 0, set(), NOW)] == [3, 2, 1, 4]


def test_a_code_does_not_outlive_its_offer() -> None:
    assert expiry(_offer(1), NOW) == NOW + 30 * DAY
    assert expiry(_offer(1, ends_at=NOW + DAY), NOW) == NOW + DAY


def test_codes_can_be_read_out() -> None:
    codes = {new_coupon_code("FJ") for _ in range(2000)}
    assert len(codes) == 2000
    assert all(re.fullmatch(r"FJ-[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", code) for code in codes)


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
