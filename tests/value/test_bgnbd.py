"""BG/NBD against what was published, a reference library, simulation, and itself at the edges."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.value import bgnbd
from rapport.value.bgnbd import BgNbd
from tests.value.conftest import Cdnow

PUBLISHED = BgNbd(0.2426, 4.4136, 0.7929, 2.4259)
X = np.array([0.0, 0, 1, 2, 5, 20, 60])
T_X = np.array([0.0, 0, 3, 30.86, 30, 38, 38.9])
AGE = np.array([39.0, 2, 39, 38.86, 39, 39, 39])


def test_the_published_numbers(cdnow: Cdnow) -> None:
    fit = bgnbd.fit(cdnow.x, cdnow.t_x, cdnow.age)
    assert fit.problem is None
    assert fit.parameters.r == pytest.approx(0.2426, abs=5e-5)
    assert fit.parameters.alpha == pytest.approx(4.4136, abs=2e-4)
    assert fit.parameters.a == pytest.approx(0.7929, abs=2e-4)
    assert fit.parameters.b == pytest.approx(2.4259, abs=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.43, abs=0.005)
    assert bgnbd.log_likelihood(PUBLISHED, cdnow.x, cdnow.t_x, cdnow.age) == pytest.approx(-9582.43, abs=0.01)


def test_the_papers_own_example() -> None:
    """A customer with x = 2, t_x = 30.43, T = 38.86 is expected to buy 1.226 times in 39 weeks."""
    who = (np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert bgnbd.expected(PUBLISHED, *who, 39.0)[0] == pytest.approx(1.226, abs=0.001)


def test_the_reference_library_agrees(cdnow: Cdnow, lifetimes: ModuleType) -> None:
    fitter = lifetimes.BetaGeoFitter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.fit(cdnow.x, cdnow.t_x, cdnow.age)
        theirs = [
            np.asarray(fitter.conditional_expected_number_of_purchases_up_to_time(t, X, T_X, AGE))
            for t in (1, 39)
        ]
        alive = np.asarray(fitter.conditional_probability_alive(X, T_X, AGE))
    ours = bgnbd.fit(cdnow.x, cdnow.t_x, cdnow.age).parameters
    their = BgNbd(*(float(fitter.params_[name]) for name in ("r", "alpha", "a", "b")))
    assert ours.as_tuple() == pytest.approx(their.as_tuple(), rel=1e-3)
    for t, expected in zip((1, 39), theirs, strict=True):
        assert bgnbd.expected(their, X, T_X, AGE, t) == pytest.approx(expected, rel=1e-6)
    assert bgnbd.p_alive(their, X, T_X, AGE) == pytest.approx(alive, rel=1e-9)


def test_the_gradient_is_that_of_the_likelihood(cdnow: Cdnow) -> None:
    data = bgnbd._data(cdnow.x, cdnow.t_x, cdnow.age)
    logs = np.log([0.5, 9.0, 0.3, 1.2])
    _, gradient = bgnbd._likelihood(logs, data)
    for i in range(4):
        move = np.zeros(4)
        move[i] = 1e-5
        slope = (bgnbd._likelihood(logs + move, data)[0] - bgnbd._likelihood(logs - move, data)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-6)


def test_equal_customers_are_one_row_and_the_fit_is_the_same(cdnow: Cdnow) -> None:
    once = bgnbd.fit(cdnow.x, cdnow.t_x, cdnow.age)
    thrice = bgnbd.fit(*(np.tile(column, 3) for column in (cdnow.x, cdnow.t_x, cdnow.age)))
    assert once.rows == thrice.rows
    assert once.rows < len(cdnow.x)
    assert thrice.parameters.as_tuple() == pytest.approx(once.parameters.as_tuple(), rel=1e-4)
    assert thrice.log_likelihood == pytest.approx(3 * once.log_likelihood)
    assert once.covariance is not None
    assert thrice.covariance is not None
    assert thrice.covariance == pytest.approx(once.covariance / 3, rel=1e-2)


def test_p_buys_against_simulation() -> None:
    """P(X(t) > 0 | x, t_x, T): of simulated customers with one history, how many buy again within t."""
    rng = np.random.default_rng(5)
    truth, age, t = BgNbd(0.8, 4.0, 0.7, 2.5), 20.0, 10.0
    n = 400_000
    rate, leaves = rng.gamma(truth.r, 1 / truth.alpha, n), rng.beta(truth.a, truth.b, n)
    at, x, last, again = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, bool)
    there = np.ones(n, bool)
    while there.any():
        at = np.where(there, at + rng.exponential(1 / np.maximum(rate, 1e-12)), at)
        before = there & (at <= age)
        again |= there & (at > age) & (at <= age + t)
        x, last = x + before, np.where(before, at, last)
        there &= (at <= age) & (rng.random(n) >= leaves)
    for repeats, low, high in ((0, 0, 0.1), (1, 4, 6), (1, 15, 20), (3, 10, 13), (3, 17, 20)):
        same = (x == repeats) & (last >= low) & (last <= high)
        assert same.sum() > 2_000
        said = bgnbd.p_buys(truth, x[same], last[same], np.full(same.sum(), age), t)
        error = 4 * np.sqrt(0.25 / same.sum())
        assert again[same].mean() == pytest.approx(said.mean(), abs=error)


parameter = st.floats(0.02, 50)


@settings(max_examples=200, deadline=None)
@given(
    st.builds(BgNbd, parameter, parameter, parameter, parameter),
    st.integers(0, 3000),
    st.floats(0.01, 500),
    st.floats(0, 1),
    st.floats(0.1, 200),
)
def test_what_is_expected_makes_sense_at_the_edges(
    parameters: BgNbd, repeats: int, age: float, part: float, t: float
) -> None:
    x, aged = np.array([float(repeats)]), np.array([age])
    t_x = aged * part if repeats else np.array([0.0])
    alive = bgnbd.p_alive(parameters, x, t_x, aged)[0]
    buys = bgnbd.p_buys(parameters, x, t_x, aged, t)[0]
    expected = bgnbd.expected(parameters, x, t_x, aged, t)[0]
    assert 0 <= buys <= alive + 1e-12 <= 1 + 1e-9
    assert alive == 1 or repeats > 0
    # Whoever buys buys once at least; and nobody more often than without ever leaving.
    assert buys <= expected * (1 + 1e-6) + 1e-9
    assert expected <= (parameters.r + repeats) * t / (parameters.alpha + age) * (1 + 1e-9)
    assert bgnbd.expected(parameters, x, t_x, aged, 2 * t)[0] >= expected - 1e-9


def test_when_nobody_leaves_the_fit_says_so() -> None:
    rng = np.random.default_rng(2)
    age = rng.uniform(20, 100, 3_000)
    times = [np.sort(rng.uniform(0, t, rng.poisson(0.1 * t))) for t in age]
    x = np.array([float(len(own)) for own in times])
    last = np.array([own[-1] if len(own) else 0.0 for own in times])
    fit = bgnbd.fit(x, last, age)
    assert fit.problem is not None


def test_a_shop_where_nobody_came_back_has_no_model() -> None:
    age = np.linspace(1, 50, 500)
    fit = bgnbd.fit(np.zeros(500), np.zeros(500), age)
    assert fit.problem is not None
