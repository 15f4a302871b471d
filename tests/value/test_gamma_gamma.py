"""Gamma-gamma against what was published and a reference library."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
import pytest

from rapport.value import gamma_gamma
from rapport.value.gamma_gamma import GammaGamma
from tests.value.conftest import Cdnow

PUBLISHED = GammaGamma(6.249, 3.745, 15.448)


def repeaters(cdnow: Cdnow) -> tuple[np.ndarray, np.ndarray]:
    again = cdnow.x > 0
    return cdnow.x[again], cdnow.value[again]


def test_the_published_numbers(cdnow: Cdnow) -> None:
    x, value = repeaters(cdnow)
    assert len(x) == 946
    fit = gamma_gamma.fit(x, value)
    assert fit.problem is None
    assert fit.parameters.p == pytest.approx(6.249, abs=1e-3)
    assert fit.parameters.q == pytest.approx(3.745, abs=1e-3)
    assert fit.parameters.v == pytest.approx(15.448, abs=2e-3)
    assert fit.log_likelihood == pytest.approx(gamma_gamma.log_likelihood(fit.parameters, x, value))
    assert fit.log_likelihood >= gamma_gamma.log_likelihood(PUBLISHED, x, value)


def test_the_reference_library_agrees(cdnow: Cdnow, lifetimes: ModuleType) -> None:
    x, value = repeaters(cdnow)
    fitter = lifetimes.GammaGammaFitter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter.fit(x, value)
        theirs = np.asarray(fitter.conditional_expected_average_profit(x, value))
    assert gamma_gamma.expected_value(gamma_gamma.fit(x, value).parameters, x, value) == pytest.approx(
        theirs, rel=1e-3
    )


def test_the_currency_does_not_matter(cdnow: Cdnow) -> None:
    x, value = repeaters(cdnow)
    dollars, cents = gamma_gamma.fit(x, value), gamma_gamma.fit(x, value * 100)
    assert cents.parameters.p == pytest.approx(dollars.parameters.p, rel=1e-4)
    assert cents.parameters.v == pytest.approx(100 * dollars.parameters.v, rel=1e-4)


def test_the_gradient_is_that_of_the_likelihood(cdnow: Cdnow) -> None:
    x, value = repeaters(cdnow)
    xs, x_of = np.unique(x, return_inverse=True)
    logs = np.log([3.0, 2.0, 9.0])
    _, gradient = gamma_gamma._likelihood(logs, xs, x_of, value)
    for i in range(3):
        move = np.zeros(3)
        move[i] = 1e-5
        above = gamma_gamma._likelihood(logs + move, xs, x_of, value)[0]
        below = gamma_gamma._likelihood(logs - move, xs, x_of, value)[0]
        assert gradient[i] == pytest.approx((above - below) / 2e-5, rel=1e-6)


def test_a_customers_mean_counts_the_more_the_more_they_bought() -> None:
    x, m = np.array([0.0, 1, 10, 1000]), np.array([0.0, 100, 100, 100])
    expected = gamma_gamma.expected_value(PUBLISHED, x, m)
    shop = PUBLISHED.p * PUBLISHED.v / (PUBLISHED.q - 1)
    assert expected[0] == pytest.approx(shop)
    assert shop < expected[1] < expected[2] < expected[3] < 100
    assert expected[3] == pytest.approx(100, rel=0.01)
    negative = gamma_gamma.expected_value(PUBLISHED, np.array([3.0]), np.array([-50.0]))
    assert 0 < negative[0] < shop


def test_where_everybody_spends_the_same_the_fit_says_so() -> None:
    fit = gamma_gamma.fit(np.repeat([1.0, 2, 3], 100), np.full(300, 49.9))
    assert fit.problem is not None


def test_a_tail_without_a_mean_is_turned_down() -> None:
    rng = np.random.default_rng(3)
    rate = rng.gamma(0.6, 1.0, 3_000)
    fit = gamma_gamma.fit(np.ones(3_000), np.maximum(rng.gamma(8, 1 / rate), 1e-6))
    assert fit.parameters.q < 1.05
    assert fit.problem is not None
