"""What a page offers, and what a form that came back means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.customers.rules import CHANNELS, PURPOSES, REFUSABLE
from rapport.preferences import rules
from rapport.preferences.rules import Change, Shown

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAIL, TIPS, APP = ("newsletter", "email"), ("tips", "email"), ("newsletter", "whatsapp")

boxes = st.builds(
    Shown,
    consents=st.frozensets(st.tuples(st.sampled_from(PURPOSES), st.sampled_from(CHANNELS))),
    preferred=st.none() | st.sampled_from(REFUSABLE),
    refused=st.frozensets(st.sampled_from(REFUSABLE)),
    per_month=st.integers(1, 30),
    interests=st.frozensets(st.sampled_from(("tents", "boots", "a-1"))),
    language=st.sampled_from(("en", "nb")),
)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (Shown(), Shown(), Change()),
        (Shown(frozenset([MAIL])), Shown(frozenset([TIPS])), Change(granted=(TIPS,), withdrawn=(MAIL,))),
        # Refused in the same breath: not granted.
        (Shown(), Shown(frozenset([MAIL]), refused=frozenset(["email"])), Change(refused=("email",))),
        # Ticked after having refused it: they come back.
        (
            Shown(refused=frozenset(["email", "sms"])),
            Shown(frozenset([MAIL]), refused=frozenset(["email", "sms"])),
            Change(granted=(MAIL,), allowed=("email",)),
        ),
        (Shown(refused=frozenset(["sms"])), Shown(), Change(allowed=("sms",))),
        (Shown(), Shown(preferred="phone"), Change(preferred="phone")),
        (Shown(preferred="sms"), Shown(), Change(preferred="")),
        (
            Shown(preferred="sms"),
            Shown(preferred="sms", refused=frozenset(["sms"])),
            Change(refused=("sms",), preferred=""),
        ),
        (Shown(), Shown(per_month=8), Change(per_month=8)),
        (Shown(), Shown(per_month=None), Change()),
        (
            Shown(interests=frozenset(["a", "b"])),
            Shown(interests=frozenset(["b", "c"])),
            Change(liked=("c",), disliked=("a",)),
        ),
        (Shown(language="en"), Shown(language="nb"), Change(language="nb")),
    ],
)
def test_change(before: Shown, now: Shown, change: Change) -> None:
    assert rules.change(before, now) == change


@given(boxes, boxes)
def test_what_is_newly_refused_is_never_granted_or_preferred(before: Shown, now: Shown) -> None:
    change = rules.change(before, now)
    assert not {channel for _, channel in change.granted} & set(change.refused)
    assert change.preferred not in change.refused
    assert not set(change.granted) & set(change.withdrawn)
    assert not set(change.allowed) & set(change.refused)


@given(boxes)
def test_what_is_not_touched_stays(shown: Shown) -> None:
    change = rules.change(shown, shown)
    assert change == Change(preferred="" if shown.preferred in shown.refused else None)


@given(
    st.dictionaries(
        st.sampled_from(("consent", "prefer", "refuse", "often", "interest", "language")),
        st.lists(
            st.text("aé:-1٣\0 <", max_size=9) | st.sampled_from(("newsletter:email", "less", "7", "email"))
        ),
    )
)
def test_any_form_can_be_read(fields: dict[str, list[str]]) -> None:
    read = rules.read(fields)
    assert {purpose for purpose, _ in read.consents} <= set(PURPOSES)
    assert read.refused <= set(REFUSABLE)
    assert read.per_month is None or 1 <= read.per_month <= 30


@pytest.mark.parametrize(
    ("often", "per_month"),
    [("1", 1), ("30", 30)] + [(wrong, None) for wrong in ("", "0", "31", "-1", "1.5", "٣", "9999", "many")],
)
def test_how_often(often: str, per_month: int | None) -> None:
    assert rules.read({"often": [often]}).per_month == per_month


def test_what_is_offered() -> None:
    assert rules.offered_channels(["telegram", "email", "web"], [APP]) == ("email", "whatsapp", "telegram")
    assert rules.liked_or_refused(["email"], ["sms"], None) == ["email", "sms", "phone"]


def test_a_masked_address_shows_where_it_is_and_no_more() -> None:
    assert rules.masked("ann.berg@example.com") == "a…@example.com"


@pytest.mark.parametrize(
    ("header", "origin"),
    [
        ("https://fjordly.example", "fjordly.example"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("null", ""),
        (None, ""),
        ("https://x/<script>", ""),
        ("https://" + "a" * 100, ""),
        ("http://[::1", ""),
    ],
)
def test_origin(header: str | None, origin: str) -> None:
    assert rules.origin_of(header) == origin


@pytest.mark.parametrize(
    ("sent", "ago", "again"),
    [
        (1, timedelta(seconds=59), False),
        (1, timedelta(seconds=60), True),
        (2, timedelta(minutes=2), True),
        (3, timedelta(hours=23), False),
        (3, timedelta(days=1), True),
    ],
)
def test_asking_again(sent: int, ago: timedelta, again: bool) -> None:
    assert rules.may_ask_again(sent, NOW - ago, NOW) is again
