"""Scores, rhythm and what is said without a model."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from rapport.value import rules
from rapport.value.rules import Habits, cut_points, score


def scored(values: list[int], floor: int | None = None) -> list[int]:
    cuts = cut_points(Counter(values).items(), floor)
    return [score(value, cuts) for value in values]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], [3]),
        ([1, 2], [2, 4]),
        ([10, 20, 30], [1, 3, 5]),
        ([5, 5, 5, 5], [3, 3, 3, 3]),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        (list(range(10)), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]),
        ([1, 1, 1, 1, 9], [3, 3, 3, 3, 5]),
        ([-5, 0, 0, 0, 5], [1, 3, 3, 3, 5]),
    ],
)
def test_scores_are_fifths_with_ties_kept_together(values: list[int], expected: list[int]) -> None:
    assert scored(values) == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    [([1, 1, 1, 1], [1] * 4), ([1, 1, 1, 1, 2], [1, 1, 1, 1, 5]), ([3, 3, 3], [3] * 3), ([1], [1])],
)
def test_one_order_is_the_lowest_frequency(orders: list[int], expected: list[int]) -> None:
    assert scored(orders, floor=2) == expected


def test_nobody_has_no_cuts_and_then_everybody_is_alike() -> None:
    assert cut_points([]) == []


def test_what_is_above_or_below_all_that_was_seen() -> None:
    cuts = cut_points([(100, 4)])
    assert (score(99, cuts), score(100, cuts), score(101, cuts)) == (1, 3, 5)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=80))
def test_properties_of_scores(values: list[int]) -> None:
    found = scored(values)
    cuts = cut_points(Counter(values).items())
    assert cuts == sorted(cuts)
    assert all(1 <= one <= 5 for one in found)
    ranked = sorted(zip(values, found, strict=True))
    assert [one for _, one in ranked] == sorted(found)  # more is never scored less
    assert len(set(zip(values, found, strict=True))) == len(set(values))  # the same is scored alike
    together = rules.scores(np.array(values), cuts)
    assert together.tolist() == found == [1 + bisect_right(cuts, value) for value in values]


@given(st.sets(st.integers(), min_size=5, max_size=300))
def test_without_ties_the_fifths_are_fifths(values: set[int]) -> None:
    sizes = Counter(scored(sorted(values)))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    assert set(sizes) == {1, 2, 3, 4, 5}


SHOP = Habits(gap_days=40.0, repeat_share=0.3, value_minor=50_000.0)
AGAIN, HORIZON = 90.0, 365.0


def outlook(gaps: float, span: float, silent: float, shop: Habits = SHOP) -> rules.Outlook:
    return rules.outlook(*(np.array([v]) for v in (gaps, span, silent)), shop, AGAIN, HORIZON, 0.8)


def test_habits_of_a_shop() -> None:
    habits = rules.habits(np.array([1, 3, 2]), np.array([0.0, 60.0, 50.0]), np.array([100.0, 600.0, -100.0]))
    assert habits.gap_days == 40  # the median of 30 and 50
    assert habits.repeat_share == pytest.approx(3 / 5)
    assert habits.value_minor == pytest.approx(100)
    nobody = rules.habits(np.array([1, 1]), np.zeros(2), np.array([5.0, 5.0]))
    assert nobody.gap_days is None


def test_the_own_gap_is_drawn_to_the_shops() -> None:
    gap = rules.own_gap(np.array([1.0, 10, 1000]), np.array([10.0, 100, 10_000]), SHOP)
    assert gap == pytest.approx([(10 + 80) / 3, (100 + 80) / 12, (10_000 + 80) / 1002])
    assert gap[2] == pytest.approx(10, rel=0.01)


def test_silence_counts_against_the_own_gap() -> None:
    regular = [outlook(10, 400, silent) for silent in (0, 40, 80, 160)]
    buys = [float(one.p_buy[0]) for one in regular]
    assert buys[0] == pytest.approx(buys[1])  # no longer than usual
    assert buys[1] == pytest.approx(2 * buys[2])  # half of them for each further gap
    assert buys[2] == pytest.approx(4 * buys[3])
    slow = float(outlook(2, 400, 160).p_buy[0])
    assert slow > buys[3]  # the same silence means less where gaps are long


def test_one_order_is_as_good_as_the_shop_is_at_bringing_back() -> None:
    once, many = outlook(0, 0, 5), outlook(5, 200, 5)
    assert 0 < once.p_buy[0] < SHOP.repeat_share
    assert once.p_buy[0] < many.p_buy[0]
    unknown = outlook(0, 0, 5, Habits(None, 0.05, 100.0))
    assert 0 < unknown.p_buy[0] < 0.05


@given(
    st.integers(0, 400), st.floats(0, 3000), st.floats(0, 3000), st.one_of(st.none(), st.floats(0.5, 900)),
    st.floats(0.001, 0.999),
)  # fmt: skip
def test_an_outlook_always_makes_sense(
    gaps: int, span: float, silent: float, gap: float | None, share: float
) -> None:
    shop = Habits(gap, share, 100.0)
    ahead = outlook(float(gaps), span if gaps else 0.0, silent, shop)
    assert 0 <= ahead.p_buy[0] <= 1
    assert 0 <= ahead.low[0] <= ahead.high[0] < np.inf
    assert 0 <= ahead.orders[0] < np.inf


def test_the_interval_of_orders_against_simulation() -> None:
    """Gamma rates around the shop's gap, a share that is still there: at least 8 in 10 lie within."""
    rng = np.random.default_rng(4)
    ahead = outlook(4, 160, 100)
    there = rules.still_there(np.array([4.0]), np.array([40.0]), np.array([100.0]), SHOP)[0]
    rate = rng.gamma(6, 1 / 240, 100_000)
    orders = np.where(rng.random(100_000) < there, rng.poisson(rate * HORIZON), 0)
    inside = (orders >= ahead.low[0]) & (orders <= ahead.high[0])
    assert 0.8 <= inside.mean() < 0.97
    assert orders.mean() == pytest.approx(ahead.orders[0], rel=0.02)


@pytest.mark.parametrize(
    ("zone", "hours"), [("Europe/Oslo", 2), ("UTC", 0), ("America/New_York", -4), ("Asia/Kolkata", 5.5)]
)
def test_days_begin_so_that_a_bare_date_is_in_its_day(zone: str, hours: float) -> None:
    assert rules.day_starts(zone) == hours * 3600


@given(st.floats(0, 0.999), st.integers(2, 300), st.floats(0.001, 0.999))
def test_the_quantile_is_the_least_number_that_is_enough(at: float, shape: int, success: float) -> None:
    found = rules._negative_binomial_quantile(np.array([at]), np.array([float(shape)]), np.array([success]))[
        0
    ]
    assert found == int(found) >= 0
    assert nbinom.cdf(found, shape, success) >= at - 1e-9
    assert found == 0 or nbinom.cdf(found - 1, shape, success) < at + 1e-9
