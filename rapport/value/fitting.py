"""Whether the models can be fitted to a shop's customers, and why not. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rapport.value import bgnbd, gamma_gamma
from rapport.value.bgnbd import BgNbd
from rapport.value.gamma_gamma import GammaGamma
from rapport.value.worth import WEEK, Floats, Matrix, Models, Purchases

LEAST_CUSTOMERS = 100
LEAST_REPEATERS = 50
LEAST_DAYS = 60
SEED = 2005


@dataclass(frozen=True)
class Fitted:
    """The models, or None and the `reason` in plain words; `details` for whoever wants to know more."""

    models: Models | None
    reason: str
    details: dict[str, Any]


def fit(people: Purchases, as_of_day: int) -> Fitted:
    """Fit both models, unless there is too little to learn from or what comes out cannot be meant."""
    if problem := too_little(people, as_of_day):
        return Fitted(None, problem, {})
    x = people.gaps
    t_x, age = people.span_days / WEEK, (as_of_day - people.first_day) / WEEK
    buying = bgnbd.fit(x, t_x, np.maximum(age, t_x))
    spent = people.revenue_minor > 0
    spending = gamma_gamma.fit(people.buying_days[spent].astype(float), people.mean_minor[spent])
    details = {
        "buying": asdict(buying.parameters) | {"log_likelihood": buying.log_likelihood},
        "spending": asdict(spending.parameters) | {"log_likelihood": spending.log_likelihood},
        "rows": buying.rows,
        "customers": len(people),
        "frequency_value_correlation": correlation(people),
    }
    if problem := buying.problem or spending.problem:
        return Fitted(None, f"{problem[0].upper()}{problem[1:]}.", details)
    assert buying.covariance is not None
    assert spending.covariance is not None
    models = Models(
        buying.parameters, _matrix(buying.covariance), spending.parameters, _matrix(spending.covariance), SEED
    )
    reason = f"BG/NBD and gamma-gamma models fitted to {len(people):,} customers."
    return Fitted(models, reason, details)


def too_little(people: Purchases, as_of_day: int) -> str | None:
    """Why these customers are too few to fit a model to; None when they are not."""
    repeaters = int((people.buying_days > 1).sum())
    spent = int((people.revenue_minor > 0).sum())
    if len(people) == 0:
        return "Nobody has ordered yet."
    days = int(as_of_day - people.first_day.min())
    if len(people) < LEAST_CUSTOMERS or spent < LEAST_CUSTOMERS:
        return f"{min(len(people), spent)} customers are too few for a model; it takes {LEAST_CUSTOMERS}."
    if repeaters < LEAST_REPEATERS:
        return f"{repeaters} customers came back, too few for a model; it takes {LEAST_REPEATERS}."
    if days < LEAST_DAYS:
        return f"{days} days of orders are too few for a model; it takes {LEAST_DAYS}."
    return None


def correlation(people: Purchases) -> float | None:
    """Between how often and for how much customers buy, of those who came back.

    The gamma-gamma model takes it as zero; beyond ±0.3 or so its values are to be read with care.
    """
    again = people.buying_days > 1
    often, value = people.buying_days[again].astype(float), people.mean_minor[again]
    if len(often) < 3 or often.std() == 0 or value.std() == 0:
        return None
    return round(float(np.corrcoef(often, value)[0, 1]), 3)


def as_json(models: Models) -> dict[str, Any]:
    """The models as they are stored with a run."""
    return asdict(models)


def from_json(stored: dict[str, Any]) -> Models | None:
    """The other way round; None for a run by rules."""
    if not stored.get("buying_covariance"):
        return None
    return Models(
        BgNbd(**stored["buying"]),
        _matrix(stored["buying_covariance"]),
        GammaGamma(**stored["spending"]),
        _matrix(stored["spending_covariance"]),
        stored["seed"],
    )


def _matrix(rows: Floats | list[list[float]]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in rows)
