"""Scores, rhythm, and what can be said without a model. Pure.

Scores. Customers are put in order by each measure and cut into fifths. Those with the same value stand at the
middle of their places and so get the same score: with three customers that is 1, 3 and 5, with all alike it
is 3. For frequency only, whoever has ordered once scores 1, however many they are: one order is no habit.
A cut is the least value that gets a score. What is above all that was seen gets 5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEASURES = ("recency", "frequency", "monetary")
HIGHEST = 5
# The least that can get more than 1.
FLOORS = {"frequency": 2}

# How many gaps between orders, and how many orders, the shop's average counts as beside a customer's own.
SHOP_GAPS = 2.0
SHOP_ORDERS = 1.0
# In a shop where nobody has come back yet, in days.
UNKNOWN_GAP = 365.0


def cut_points(groups: Iterable[tuple[int, int]], floor: int | None = None) -> list[int]:
    """The least values of scores 2 to 5. `groups` are (value, how many have it); `floor` as in FLOORS.

    The database does the same in SQL (`counting.cut_points`); empty when there are no customers.
    """
    ordered = sorted(groups)
    total = sum(count for _, count in ordered)
    if total == 0:
        return []
    beyond = max(ordered[-1][0] + 1, floor or ordered[-1][0] + 1)
    cuts, before = [beyond] * (HIGHEST - 1), 0
    for value, count in reversed(ordered):
        before += count
        # The middle of the group's places, in halves of a customer to stay in whole numbers.
        middle = 2 * (total - before) + count
        for score in range(2, HIGHEST + 1):
            if middle * HIGHEST >= 2 * total * (score - 1):
                cuts[score - 2] = value
    return [max(cut, floor) if floor is not None else cut for cut in cuts]


def score(value: int, cuts: Sequence[int]) -> int:
    """1 to 5 by the cuts."""
    return 1 + bisect_right(cuts, value)


def scores(values: NDArray[np.int64], cuts: Sequence[int]) -> NDArray[np.int64]:
    """The same for many values."""
    return 1 + np.searchsorted(np.asarray(cuts, np.int64), values, side="right")


@dataclass(frozen=True)
class Habits:
    """What the customers of a shop have in common.

    `gap_days` is the median of the customers' own mean gaps between buying days, None when nobody has two of
    them. `repeat_share` is the part of customers that came back, with one added on either side so that it is
    never 0 or 1. `value_minor` is the mean value of a buying day.
    """

    gap_days: float | None
    repeat_share: float
    value_minor: float


def habits(buying_days: NDArray[np.int64], span_days: Floats, revenue_minor: Floats) -> Habits:
    """The habits of customers given by their buying days, days from first to last, and net revenue."""
    again = buying_days > 1
    gaps = span_days[again] / (buying_days[again] - 1)
    days = int(buying_days.sum())
    return Habits(
        gap_days=float(np.median(gaps)) if len(gaps) else None,
        repeat_share=float((again.sum() + 1) / (len(buying_days) + 2)),
        value_minor=float(max(revenue_minor.sum(), 0) / days) if days else 0.0,
    )


def own_gap(gaps: Floats, span_days: Floats, shop: Habits) -> Floats:
    """Days between orders: the customer's mean, drawn towards the shop's as if two gaps of it were theirs."""
    return (span_days + SHOP_GAPS * (shop.gap_days or UNKNOWN_GAP)) / (gaps + SHOP_GAPS)


def order_value(orders: Floats, revenue_minor: Floats, shop: Habits) -> Floats:
    """What an order brings: the customer's mean, drawn towards the shop's as if one order of it were theirs.

    Whoever sent back more than they bought counts as having spent nothing.
    """
    own = np.maximum(revenue_minor, 0.0)
    return np.asarray((own + SHOP_ORDERS * shop.value_minor) / (orders + SHOP_ORDERS), float)


def still_there(gaps: Floats, gap_days: Floats, silent_days: Floats, shop: Habits) -> Floats:
    """The share of such customers who still buy here.

    All, as long as no more time has passed than lies between two of their orders; half of them for each
    further gap of silence. Of those who bought once, no more than come back to this shop at all.
    """
    # After thirty gaps it is one in a thousand million; beyond that the numbers would run out.
    faded = np.exp2(-np.clip(silent_days / gap_days - 1.0, 0.0, 30.0))
    return np.asarray(np.where(gaps > 0, faded, shop.repeat_share * faded), float)


@dataclass(frozen=True)
class Outlook:
    """What is expected of customers by rules; `low` and `high` are numbers of orders within the horizon."""

    p_buy: Floats
    orders: Floats
    low: Floats
    high: Floats


def outlook(
    gaps: Floats,
    span_days: Floats,
    silent_days: Floats,
    shop: Habits,
    again_days: float,
    horizon_days: float,
    level: float,
) -> Outlook:
    """Orders by recency against a customer's own gap.

    Whoever is still there goes on at their own rate; how sure we are of that rate is a gamma distribution of
    as many gaps as were seen (their own and the shop's two), so orders are negative binomial. `level` is the
    share of such customers whose number of orders lies between low and high.
    """
    gap = own_gap(gaps, span_days, shop)
    there = still_there(gaps, gap, silent_days, shop)
    shape = gaps + SHOP_GAPS
    seen = gap * shape
    none_soon = (seen / (seen + again_days)) ** shape
    success = seen / (seen + horizon_days)
    tail = (1.0 - level) / 2

    def quantile(at: float) -> Floats:
        inside = np.clip((at - (1.0 - there)) / there, 0.0, 1.0 - 1e-12)
        return np.where(at <= 1.0 - there, 0.0, _negative_binomial_quantile(inside, shape, success))

    return Outlook(
        there * (1.0 - none_soon), there * horizon_days / gap, quantile(tail), quantile(1.0 - tail)
    )


def _negative_binomial_quantile(at: Floats, shape: Floats, success: Floats) -> Floats:
    """The least number k for which the probability of k or fewer is at least `at`."""
    from scipy.special import betainc, nbdtrik  # takes half a second to load, and models do without

    # The continuous inverse, and one step down where rounding it up went too far.
    found = np.ceil(np.maximum(np.nan_to_num(nbdtrik(at, shape, success)), 0.0))
    below = (found > 0) & (betainc(shape, np.maximum(found, 1.0), success) >= at)
    return np.asarray(np.where(below, found - 1.0, found), float)


def day_starts(timezone: str) -> int:
    """How many seconds before midnight UTC the shop's days begin, the same all year.

    A day that moves with summer time would need a calendar in every query. With the year's largest offset a
    date without a time, read as midnight of the shop's zone, is always in the right day.
    """
    zone = ZoneInfo(timezone)
    offsets = [datetime(2024, month, 1, tzinfo=zone).utcoffset() or timedelta() for month in range(1, 13)]
    return int(max(offsets).total_seconds())
