"""Order numbers as people write them, and statuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.shop.rules import effective_status, same_number


@pytest.mark.parametrize(
    ("asked", "number", "same"),
    [
        ("FJ-10234", "FJ-10234", True),
        ("#fj10234", "FJ-10234", True),
        ("fj 10 234", "FJ-10234", True),
        ("10234", "FJ-10234", True),
        ("№ 10234", "FJ-10234", True),
        ("C536379", "C536379", True),
        ("10235", "FJ-10234", False),
        ("0234", "FJ-10234", False),
        ("XX-10234", "FJ-10234", False),
        ("", "FJ-10234", False),
        ("#", "FJ-10234", False),
    ],
)
def test_same_number(asked: str, number: str, same: bool) -> None:
    assert same_number(asked, number) is same


@given(st.text(max_size=30))
def test_any_text_is_taken(asked: str) -> None:
    assert same_number(asked, "FJ-1") in (True, False)


@pytest.mark.parametrize(
    ("status", "total", "refunded", "expected"),
    [
        ("delivered", 1000, 0, "delivered"),
        ("delivered", 1000, 999, "delivered"),
        ("delivered", 1000, 1000, "refunded"),
        ("shipped", 1000, 1200, "refunded"),
        ("cancelled", 1000, 1000, "cancelled"),
        ("placed", 0, 0, "placed"),
    ],
)
def test_effective_status(status: str, total: int, refunded: int, expected: str) -> None:
    assert effective_status(status, total, refunded) == expected
