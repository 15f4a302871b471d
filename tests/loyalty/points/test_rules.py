"""Points, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.loyalty.points.rules import points_for, points_to_take_back


@pytest.mark.parametrize(
    ("amount", "points"), [(0, 0), (999, 0), (1000, 1), (1999, 1), (124900, 124), (-5000, 0)]
)
def test_points_are_rounded_down(amount: int, points: int) -> None:
    assert points_for(amount, 1, 1000) == points


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**8), max_size=8))
def test_refunds_leave_what_the_rest_would_earn(total: int, refunds: list[int]) -> None:
    earned = points_for(total, 1, 1000)
    taken, refunded = 0, 0
    for refund in refunds:
        refunded += refund
        due = points_for(total - refunded, 1, 1000)
        taken += points_to_take_back(earned, taken, due)
        assert earned - taken == due
