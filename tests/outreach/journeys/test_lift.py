"""What a journey brought: intervals as they were published, and what follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rapport.outreach.journeys import lift
from rapport.outreach.journeys.lift import Group


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    # Newcombe 1998, table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_the_published_intervals(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = lift.of_shares(Group(one[1], one[0]), Group(other[1], other[0]))
    assert found is not None
    assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilsons_interval() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), 857–872, table I: 81 of 263."""
    assert lift.wilson(81, 263) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))


def test_spending_is_compared_as_by_welch() -> None:
    one, other = [20.0, 30.0, 40.0, 90.0], [10.0, 10.0, 20.0]
    groups = [Group(len(sums), 0, sum(sums), sum(x * x for x in sums)) for sums in (one, other)]
    found = lift.of_spending(*groups)
    result = stats.ttest_ind(one, other, equal_var=False).confidence_interval(lift.LEVEL)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(result.low), pytest.approx(result.high))


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ((10, 29), (0, 500), "too_few"),
        ((30, 100), (10, 29), "too_few"),
        ((30, 100), (29, 100), "unclear"),
        ((60, 100), (30, 100), "better"),
        ((30, 100), (60, 100), "worse"),
        ((0, 100), (0, 100), "unclear"),
    ],
)
def test_what_can_be_said(one: tuple[int, int], other: tuple[int, int], said: str) -> None:
    assert lift.verdict(Group(one[1], one[0]), Group(other[1], other[0])) == said


GROUPS = st.integers(1, 3000).flatmap(
    lambda people: st.builds(Group, st.just(people), st.integers(0, people))
)


@given(GROUPS, GROUPS)
def test_the_interval_holds_what_was_measured_and_turns_round(one: Group, other: Group) -> None:
    there, back = lift.of_shares(one, other), lift.of_shares(other, one)
    assert there is not None and back is not None
    assert -1 <= there.low <= there.value + 1e-9 and there.value <= there.high + 1e-9 <= 1 + 2e-9
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))


def test_nobody_is_compared_with_nobody() -> None:
    assert lift.of_shares(Group(), Group(5, 1)) is None
    assert lift.of_spending(Group(1, 1, 5, 25), Group(5, 1)) is None
    assert Group().share is None and Group().each_minor is None
