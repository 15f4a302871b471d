"""What is expected of each customer, by the fitted models or by rules, with its uncertainty. Pure.

Value is net revenue without what is paid back, times the shop's margin share where costs are known, over the
horizon and as money of today: what comes within it is taken as spread evenly and discounted at its middle.

The interval is predictive: of customers with this history, at least 80 % will really bring an amount within
it over the horizon, by the model. It holds chance (whether they come, how often, for how much) as well as
the uncertainty of the fitted parameters. It is simulated: `DRAWS` times parameters are drawn from their
likelihood's normal approximation and a future from those parameters. The draws belong to the run, so that
one customer valued alone gets exactly the numbers that the run of all would give. It always includes the
expectation, which for rare buyers lies above what most of them will bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rapport.value import bgnbd, gamma_gamma, rules
from rapport.value.bgnbd import BgNbd
from rapport.value.gamma_gamma import GammaGamma
from rapport.value.rules import Habits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Matrix = tuple[tuple[float, ...], ...]

WEEK = 7.0
MONTH_DAYS = 365.25 / 12
LEVEL = 0.8
DRAWS = 200
# Nobody is simulated to come more often than this within the horizon.
ARRIVALS = 512


@dataclass(frozen=True)
class Purchases:
    """What is known of customers, one entry of each array for each; days are numbered alike.

    Nobody without any buying day may be among them. `revenue_minor` may be negative.
    """

    buying_days: Ints
    first_day: Ints
    last_day: Ints
    revenue_minor: Ints

    def __len__(self) -> int:
        return len(self.buying_days)

    @property
    def gaps(self) -> Floats:
        return np.asarray(self.buying_days - 1.0, float)

    @property
    def span_days(self) -> Floats:
        return (self.last_day - self.first_day).astype(float)

    @property
    def mean_minor(self) -> Floats:
        """The mean value of a buying day, 0 for whoever sent back more than they bought."""
        return np.maximum(self.revenue_minor / self.buying_days, 0.0)

    def part(self, start: int, end: int) -> Purchases:
        """Some of them."""
        return Purchases(
            self.buying_days[start:end],
            self.first_day[start:end],
            self.last_day[start:end],
            self.revenue_minor[start:end],
        )


@dataclass(frozen=True)
class Models:
    """The fitted models, in weeks and minor units, with the covariance of their parameters' logarithms."""

    buying: BgNbd
    buying_covariance: Matrix
    spending: GammaGamma
    spending_covariance: Matrix
    seed: int


@dataclass(frozen=True)
class Terms:
    """How to look ahead: all that a valuation needs beside the customer. `margin_share` None: revenue."""

    habits: Habits
    models: Models | None
    horizon_days: float
    again_days: float
    discount_rate: float
    margin_share: float | None

    @property
    def per_revenue(self) -> float:
        """What a unit of revenue within the horizon counts: its margin, as money of today."""
        years = self.horizon_days / 2 / 365.25
        kept = 1.0 if self.margin_share is None else self.margin_share
        return kept / float((1 + self.discount_rate) ** years)


@dataclass(frozen=True)
class Worth:
    """The result; `gap_days` is NaN for those without a rhythm of their own. Amounts in minor units."""

    p_buy: Floats
    clv: Floats
    low: Floats
    high: Floats
    gap_days: Floats


def worth(people: Purchases, terms: Terms, as_of_day: int) -> Worth:
    """What these customers are worth on that day."""
    gaps, span = people.gaps, people.span_days
    silent = np.maximum(as_of_day - people.last_day, 0).astype(float)
    rhythm = np.where(gaps > 0, rules.own_gap(gaps, span, terms.habits), np.nan)
    if terms.models is None:
        ahead = rules.outlook(gaps, span, silent, terms.habits, terms.again_days, terms.horizon_days, LEVEL)
        each = rules.order_value(
            people.buying_days.astype(float), people.revenue_minor.astype(float), terms.habits
        )
        each = each * terms.per_revenue
        return _including(ahead.p_buy, ahead.orders * each, ahead.low * each, ahead.high * each, rhythm)
    buying, spending = terms.models.buying, terms.models.spending
    t_x, age = span / WEEK, (span + silent) / WEEK
    p_buy = bgnbd.p_buys(buying, gaps, t_x, age, terms.again_days / WEEK)
    orders = bgnbd.p_alive(buying, gaps, t_x, age) * _if_alive(buying, gaps, age, terms.horizon_days / WEEK)
    each = gamma_gamma.expected_value(spending, people.buying_days.astype(float), people.mean_minor)
    low, high = simulated_interval(terms.models, people, t_x, age, terms.horizon_days / WEEK, LEVEL)
    scale = terms.per_revenue
    return _including(p_buy, orders * each * scale, low * scale, high * scale, rhythm)


def _including(p_buy: Floats, clv: Floats, low: Floats, high: Floats, rhythm: Floats) -> Worth:
    # Sold below cost, more orders are worth less: then the ends have changed places.
    least, most = np.minimum(low, high), np.maximum(low, high)
    return Worth(p_buy, clv, np.minimum(least, clv), np.maximum(most, clv), rhythm)


def _if_alive(buying: BgNbd, x: Floats, age: Floats, t: float) -> Floats:
    """Expected purchases if still there; many customers share x and T, so each pair is taken once."""
    pairs, inverse = np.unique(np.column_stack([x, age]), axis=0, return_inverse=True)
    single = bgnbd.expected_if_alive(buying, pairs[:, 0], pairs[:, 1], np.array([t]))[:, 0]
    return np.asarray(single[inverse.reshape(-1)], float)


def simulated_interval(
    models: Models, people: Purchases, t_x: Floats, age: Floats, t: float, level: float
) -> tuple[Floats, Floats]:
    """Between what two amounts of revenue within `t` weeks the share `level` of such customers lies."""
    draws = _draws(models)
    x = people.gaps
    low, high = np.empty(len(x)), np.empty(len(x))
    tail = (1.0 - level) / 2
    for value in np.unique(x):
        rows = np.flatnonzero(x == value)
        luck = _luck(models, int(value))
        # One column for each draw.
        r, alpha, a, b = draws.buying
        started, ended = age[rows, None], t_x[rows, None]
        count = _arrivals(draws, luck.rate / (alpha + started) * t)
        count = np.minimum(count, luck.purchases_left)
        if value > 0:
            odds = (
                a
                / np.maximum(b + value - 1, 1e-12)
                * np.exp((r + value) * np.log((alpha + started) / (alpha + ended)))
            )
            count = np.where(draws.stays * (1.0 + odds) < 1.0, count, 0)
        _p, _q, v = draws.spending
        scale = (v + people.buying_days[rows, None] * people.mean_minor[rows, None]) / luck.spending
        amount = draws.amounts[count, np.arange(DRAWS)] * scale
        low[rows], high[rows] = np.quantile(amount, [tail, 1.0 - tail], axis=1, method="inverted_cdf")
    return low, high


@dataclass(frozen=True)
class _Draws:
    """Drawn once for a run: parameters, and the chance that does not depend on a customer's history."""

    buying: tuple[Floats, Floats, Floats, Floats]
    spending: tuple[Floats, Floats, Floats]
    stays: Floats
    arrivals: Floats
    amounts: Floats


@dataclass(frozen=True)
class _Luck:
    """Drawn once for a run and a number of repeat purchases."""

    rate: Floats
    purchases_left: Ints
    spending: Floats


@lru_cache(maxsize=8)
def _draws(models: Models) -> _Draws:
    rng = np.random.default_rng([models.seed, 0])
    buying = np.exp(
        rng.multivariate_normal(np.log(models.buying.as_tuple()), np.array(models.buying_covariance), DRAWS)
    )
    spending = np.exp(
        rng.multivariate_normal(
            np.log(models.spending.as_tuple()), np.array(models.spending_covariance), DRAWS
        )
    )
    r, alpha, a, b = buying.T
    p, q, v = spending.T
    # Without a mean an amount could be anything; the fit itself is turned down before it comes to that.
    q = np.maximum(q, 1.01)
    steps = rng.gamma(np.broadcast_to(p, (ARRIVALS, DRAWS)))
    amounts = np.vstack([np.zeros(DRAWS), np.cumsum(steps, axis=0)])
    return _Draws(
        (r, alpha, a, b),
        (p, q, v),
        # Evenly spread, so that a share of the draws is what it should be also when it is small.
        rng.permutation((np.arange(DRAWS) + rng.random(DRAWS)) / DRAWS),
        np.cumsum(rng.exponential(size=(DRAWS, ARRIVALS)), axis=1),
        amounts,
    )


@lru_cache(maxsize=16_384)
def _luck(models: Models, x: int) -> _Luck:
    draws = _draws(models)
    rng = np.random.default_rng([models.seed, 1, x])
    r, _alpha, a, b = draws.buying
    p, q, _v = draws.spending
    leaves = np.maximum(rng.beta(a, b + x), 1e-12)
    left = np.ceil(np.log(rng.random(DRAWS)) / np.log1p(-np.minimum(leaves, 1 - 1e-12)))
    return _Luck(
        rng.gamma(r + x),
        np.clip(left, 1, ARRIVALS).astype(np.int64),
        rng.gamma(p * (x + 1) + q),
    )


def _arrivals(draws: _Draws, expected: Floats) -> Ints:
    """How often something happens that is expected so often, by the draws' own luck (a column for each)."""
    count = np.empty(expected.shape, np.int64)
    for column in range(expected.shape[1]):
        count[:, column] = np.searchsorted(draws.arrivals[column], expected[:, column])
    return count
