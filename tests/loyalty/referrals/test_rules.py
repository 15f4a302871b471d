"""Referrals without a database."""

from __future__ import annotations

import re

import pytest

from rapport.customers.mailboxes import mailbox
from rapport.loyalty.offers.rulebook import Rulebook
from rapport.loyalty.referrals import rules
from rapport.loyalty.referrals.rules import Refusal, new_code, reachable_at, refused


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ann.berg@gmail.com", "annberg@gmail.com", True),
        ("ann+shop@example.com", "ann@example.com", True),
        ("Ann+a+b@Example.com", "ann@example.com", True),
        ("ann@gmail.com", "ann@googlemail.com", True),
        ("ann@example.com", "ann@example.org", False),
        ("ann@example.com", "anna@example.com", False),
        ("+ann@example.com", "+bo@example.com", False),
    ],
)
def test_which_mailboxes_are_the_same(one: str, other: str, same: bool) -> None:
    assert (mailbox(one) == mailbox(other)) is same


def test_a_number_is_the_same_on_every_channel() -> None:
    assert reachable_at([("phone", "+4791234567")]) == reachable_at([("whatsapp", "+4791234567")])


def test_codes_differ_from_order_numbers_and_coupons() -> None:
    codes = {new_code("FJ") for _ in range(500)}
    assert len(codes) == 500
    assert all(re.fullmatch(r"FJ-[A-HJ-NP-Z2-9]{6}", code) and not code[3:].isdigit() for code in codes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"referrer_id": None}, Refusal.UNKNOWN),
        ({"referrer_id": 2}, Refusal.SELF),
        ({"same_person": True}, Refusal.SELF),
        ({"referred_before": True}, Refusal.ALREADY_REFERRED),
        ({"orders_before": 1}, Refusal.NOT_NEW),
        ({"brought_referrer": True}, Refusal.MUTUAL),
    ],
)
def test_who_is_refused(changes: dict[str, object], reason: Refusal | None) -> None:
    values: dict[str, object] = {
        "referrer_id": 1,
        "referee_id": 2,
        "same_person": False,
        "referred_before": False,
        "orders_before": 0,
        "brought_referrer": False,
    }
    assert refused(**(values | changes)) == reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("total", "refunded", "minimum", "counts"),
    [(100, 0, 100, True), (100, 1, 100, False), (0, 0, 1, False), (100_000, 99_999, 2, False)],
)
def test_what_is_enough_of_an_order(total: int, refunded: int, minimum: int, counts: bool) -> None:
    assert rules.counts(total, refunded, minimum) is counts


@pytest.mark.parametrize(
    ("rule", "minimum"), [({}, 20_000), ({"minimum_minor": 7}, 7)], ids=["half a typical order", "as said"]
)
def test_the_least_a_friend_must_keep(rule: dict[str, int], minimum: int) -> None:
    book = Rulebook.model_validate({"typical_order_minor": 40_000, "referral": {"points": 5, **rule}})
    assert book.referral_minimum_minor == minimum
