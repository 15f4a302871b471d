"""How well the valuation would have foretold what is known by now.

It is given only what happened in the first half of the shop's time, and its expectations for the second half
are compared with what came: orders by how often somebody had come back before, who bought at all, and how
many brought an amount within their interval. Pure, but for `compare`, which reads the orders.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from rapport.shop.facts import get_facts
from rapport.value import bgnbd, fitting, reporting, rules
from rapport.value.counting import SECONDS, Currency
from rapport.value.fitting import Fitted
from rapport.value.worth import LEVEL, WEEK, Purchases, Terms, Worth, worth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Whoever came back so often or more is one class.
MOST = 7


@dataclass(frozen=True)
class Class:
    """Customers who had come back `repeats` times (7 stands for 7 and more), with their mean later orders."""

    repeats: int
    customers: int
    expected: float
    actual: float


@dataclass(frozen=True)
class Report:
    """What came of the comparison. AUC: how likely somebody who bought is ranked above somebody who did not
    (.5 is chance), by the probability to buy again, by how lately they had bought, and by the probability
    not to have left; None when all or nobody bought. `covered` is the share of customers whose later value
    lay within their interval, which is meant to hold `level` or more. Values are net revenue in minor units.
    """

    cut: datetime
    end: datetime
    method: str
    reason: str
    customers: int
    classes: tuple[Class, ...]
    expected_orders: float
    actual_orders: int
    expected_value_minor: int
    actual_value_minor: int
    auc_p_buy: float | None
    auc_recency: float | None
    auc_p_alive: float | None
    covered: float
    level: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"cut": self.cut.isoformat(), "end": self.end.isoformat()}


def compare(session: Session) -> Report | None:
    """The report on the shop's own orders; None when they span less than four weeks."""
    facts = get_facts()
    money = Currency(facts.currency, rules.day_starts(facts.timezone))
    span = reporting.first_and_last(session, money)
    if span is None or (span[1] - span[0]).days < 28:
        return None
    first, end = span
    # At the beginning of a day, as days are what is counted.
    half = int((first + (end - first) / 2).timestamp()) + money.day_starts
    cut = datetime.fromtimestamp(half - half % SECONDS - money.day_starts, first.tzinfo)
    rows = reporting.before_and_after(session, money, cut)
    columns = np.array(rows, np.int64).reshape(-1, 6).T
    people = Purchases(columns[0], columns[1], columns[2], columns[3])
    cut_day = (int(cut.timestamp()) + money.day_starts) // SECONDS
    end_day = (int(end.timestamp()) + money.day_starts) // SECONDS
    # The last day before the cut is the day looked ahead from.
    return evaluate(people, columns[4], columns[5], cut_day - 1, end_day - cut_day + 1, cut, end)


def evaluate(
    people: Purchases,
    later_days: NDArray[np.int64],
    later_minor: NDArray[np.int64],
    as_of_day: int,
    days: int,
    cut: datetime,
    end: datetime,
) -> Report:
    """Compare what is expected of `people` for so many days after `as_of_day` with what they did."""
    fitted = fitting.fit(people, as_of_day)
    terms = Terms(
        habits=rules.habits(people.buying_days, people.span_days, people.revenue_minor.astype(float)),
        models=fitted.models,
        horizon_days=float(days),
        again_days=float(days),
        discount_rate=0.0,
        margin_share=None,
    )
    ahead = worth(people, terms, as_of_day)
    orders = _expected_orders(people, terms, as_of_day)
    bought = later_days > 0
    repeats = np.minimum(people.buying_days - 1, MOST)
    classes = tuple(
        Class(
            int(value),
            int((repeats == value).sum()),
            round(float(orders[repeats == value].mean()), 3),
            round(float(later_days[repeats == value].mean()), 3),
        )
        for value in np.unique(repeats)
    )
    later = later_minor.astype(float)
    return Report(
        cut=cut,
        end=end,
        method="model" if fitted.models else "rules",
        reason=fitted.reason,
        customers=len(people),
        classes=classes,
        expected_orders=round(float(orders.sum()), 1),
        actual_orders=int(later_days.sum()),
        expected_value_minor=round(float(ahead.clv.sum())),
        actual_value_minor=int(later_minor.sum()),
        auc_p_buy=auc(ahead.p_buy, bought),
        auc_recency=auc(people.last_day.astype(float), bought),
        auc_p_alive=auc(_alive(people, fitted, as_of_day), bought) if fitted.models else None,
        covered=round(_covered(ahead, later), 3),
        level=LEVEL,
    )


def auc(ranking: Floats, happened: Bools) -> float | None:
    """The area under the ROC curve; ties count half. None when there is nothing to tell apart."""
    yes = int(happened.sum())
    no = len(happened) - yes
    if yes == 0 or no == 0:
        return None
    _, place, counts = np.unique(ranking, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # the same stand at the middle of their places
    return round(float((ranks[happened].sum() - yes * (yes + 1) / 2) / (yes * no)), 3)


def _covered(ahead: Worth, later: Floats) -> float:
    # Half a minor unit for what is rounded.
    return float(((later >= ahead.low - 0.5) & (later <= ahead.high + 0.5)).mean())


def _weeks(people: Purchases, as_of_day: int) -> tuple[Floats, Floats]:
    return people.span_days / WEEK, (as_of_day - people.first_day) / WEEK


def _alive(people: Purchases, fitted: Fitted, as_of_day: int) -> Floats:
    assert fitted.models
    return bgnbd.p_alive(fitted.models.buying, people.gaps, *_weeks(people, as_of_day))


def _expected_orders(people: Purchases, terms: Terms, as_of_day: int) -> Floats:
    if terms.models:
        t_x, age = _weeks(people, as_of_day)
        return bgnbd.expected(terms.models.buying, people.gaps, t_x, age, terms.horizon_days / WEEK)
    silent = (as_of_day - people.last_day).astype(float)
    return rules.outlook(
        people.gaps, people.span_days, silent, terms.habits, terms.again_days, terms.horizon_days, LEVEL
    ).orders
